"""Budgets set what they say, whatever experiment they are combined with."""

import pytest
from hydra import compose, initialize_config_dir

from pose_inpaint.config.command import CONF


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["data=chalearn", "data.root=PEOPLE", "run_dir=RUN", *overrides])


@pytest.mark.parametrize("experiment", ["small_error", "natural"])
@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (None, (30, "cpu", "bf16-mixed", 16)),
        ("cpu30", (30, "cpu", "bf16-mixed", 16)),
        ("gpu30", (30, "cpu", "bf16-mixed", 64)),
        ("none", (None, "cpu", "32-true", 12)),
    ],
)
def test_a_budget_sets_minutes_device_precision_and_batch(experiment, budget, expected):
    config = composed(f"+experiment={experiment}", *([f"budget={budget}"] if budget else []))
    found = config.max_minutes, config.trainer.accelerator, config.trainer.precision, config.data.batch_size
    assert found == expected


def test_the_command_line_has_the_last_word():
    config = composed("+experiment=small_error", "max_minutes=5", "data.batch_size=4", "trainer.precision=32-true")
    assert (config.max_minutes, config.data.batch_size, config.trainer.precision) == (5, 4, "32-true")
    assert composed("+experiment=pretrained").max_minutes == 600


def test_a_budget_leaves_the_device_to_the_trainer():
    config = composed("+experiment=small_error", "trainer=gpu", "budget=gpu30")
    assert (config.trainer.accelerator, config.trainer.precision, config.max_minutes) == ("gpu", "bf16-mixed", 30)


def test_papers_have_no_budget():
    assert composed("+experiment=slides2018").max_minutes is None
    assert composed("+experiment=slides2018", "budget=cpu30").max_minutes == 30
