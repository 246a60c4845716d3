"""Lines of epochs, by hand."""

import time
from types import SimpleNamespace

import pytest
import torch

from pose_inpaint.training.callbacks.epoch_lines import EpochLines, describe_epoch


def test_an_epoch_reads_as_a_line():
    values = {"generator": 0.123456, "discriminator": 1.5, "val/mse_composite_hole": 0.00331}
    line = describe_epoch("3 of 20", "adversarial", values, 1.26, 135.9)
    assert line == (
        "epoch 3 of 20 (adversarial): generator 0.1235, discriminator 1.5, val/mse_composite_hole 0.00331; "
        "1.3 min, 2 h 15 min left"
    )
    assert describe_epoch("20 of 20", "a", {}, 0.52, 12.4).endswith("; 31 s, 12 min left")


@pytest.mark.parametrize(
    ("minutes", "left"), [(None, "1 h 30 min"), (50.0, "20 min"), (31.5, "1.5 min"), (20.0, "0 s")]
)
def test_the_time_left_is_that_of_the_epochs_or_of_the_budget(monkeypatch, capsys, minutes, left):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    trainer = SimpleNamespace(
        current_epoch=4, max_epochs=14, is_global_zero=True, callback_metrics={}, progress_bar_callback=None
    )
    module = SimpleNamespace(phase=SimpleNamespace(name="one"), seconds=1800.0)
    lines = EpochLines(minutes)
    lines.on_train_start(trainer, module)  # resumed at epoch 4
    lines.on_train_epoch_start(trainer, module)
    for value in (1.0, 4.0):
        lines.on_train_batch_end(trainer, module, {"train/generator/total": torch.tensor(value)}, None, 0)
    clock[0] = 600.0
    lines.on_train_epoch_end(trainer, module)
    assert capsys.readouterr().out == f"epoch 5 of 14 (one): generator 2.5; 10 min, {left} left\n"
