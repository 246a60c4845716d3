"""When the guard warns: by hand, and beside a plain count."""

import json
import warnings
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.errors import InputError
from pose_inpaint.training.callbacks.collapse import CollapseGuard, Stretch

DISCRIMINATOR, GENERATOR = "train/discriminator/total", "train/generator/gradient_norm"


def warned(values, batches, threshold=1.0):
    """How often a stretch is warned of, and by which batch each time."""
    stretch = Stretch(threshold, batches)
    return [place for place, value in enumerate(values, 1) if stretch.reached(torch.tensor(float(value)))]


def test_a_stretch_is_warned_of_once():
    assert warned([0] * 12, batches=3) == [3]


def test_a_stretch_must_be_whole():
    assert warned([0, 0, 2, 0, 0, 2, 0, 0, 2], batches=3) == []


def test_a_stretch_that_began_and_ended_between_two_looks_is_seen():
    assert warned([2, 0, 0, 0, 2, 2], batches=3) == [6]


def test_another_stretch_is_warned_of_again():
    assert warned([0, 0, 0, 2, 2, 2, 0, 0, 0], batches=3) == [3, 9]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_as_many_warnings_as_stretches_that_were_long_enough(low, batches):
    low = low[: len(low) // batches * batches]  # up to a look
    stretches, count = 0, 0
    for value in low:
        count = count + 1 if value else 0
        stretches += count == batches
    assert len(warned([0 if value else 2 for value in low], batches)) == stretches


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(0, 40))
def test_a_count_goes_on_in_another_process(low, batches, cut):
    first, second = Stretch(1.0, batches), Stretch(1.0, batches)
    values = [torch.tensor(0.0 if value else 2.0) for value in low]
    found = [first.reached(value) for value in values[:cut]]
    second.take(json.loads(json.dumps(first.state())))
    found += [second.reached(value) for value in values[cut:]]
    assert [place for place, new in enumerate(found, 1) if new] == warned(values, batches)


def test_a_count_of_other_settings_is_not_gone_on_with():
    first, second = Stretch(1.0, 3), Stretch(2.0, 3)
    for _ in range(2):
        first.reached(torch.tensor(0.0))
    second.take(first.state())
    assert second.seen == 0


def test_the_count_is_read_only_every_so_many_batches(monkeypatch):
    reads = []
    plain = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: reads.append(1) or plain(self))
    warned([0] * 20, batches=5)
    assert len(reads) == 4


def module(form="logistic"):
    return SimpleNamespace(discriminator_loss=SimpleNamespace(form=form), batches_seen=torch.tensor(7))


def run(guard, outputs, form="logistic"):
    """The guard's warnings over some batches' outputs."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        guard.on_train_start(None, module(form))
        for one in outputs:
            values = {name: torch.tensor(value) for name, value in one.items()}
            guard.on_train_batch_end(None, module(form), values, None, 0)
    return [str(warning.message) for warning in found]


def test_the_warning_names_the_threshold_and_what_to_try():
    (message,) = run(CollapseGuard(2, 1e-3, 1e-6), [{DISCRIMINATOR: 1e-4, GENERATOR: 1.0}] * 4)
    assert message.startswith(
        "guard.discriminator_loss=0.001: train/discriminator/total has been below it for 2 batches"
    )
    assert "(batch 7)" in message
    assert "optim.discriminator_optimizer" in message
    (message,) = run(CollapseGuard(2, 1e-3, 1e-6), [{DISCRIMINATOR: 1.0, GENERATOR: 1e-7}] * 4)
    assert message.startswith("guard.generator_gradient=1e-06: train/generator/gradient_norm")


def test_batches_in_which_a_network_does_not_step_are_not_counted():
    assert (
        len(run(CollapseGuard(2, 1e-3, None), [{DISCRIMINATOR: 0.0}, {}, {GENERATOR: 1.0}, {DISCRIMINATOR: 0.0}])) == 1
    )


def test_a_wasserstein_discriminator_may_have_any_loss():
    assert run(CollapseGuard(2, 1e-3, None), [{DISCRIMINATOR: 0.0}] * 4, form="wasserstein") == []


def test_null_switches_off():
    assert run(CollapseGuard(2, None, None), [{DISCRIMINATOR: 0.0, GENERATOR: 0.0}] * 4) == []


@pytest.mark.parametrize("key", ["batches", "discriminator_loss", "generator_gradient"])
def test_numbers_must_be_positive(key):
    with pytest.raises(InputError, match=rf"guard\.{key}=0: must be positive"):
        CollapseGuard(**{"batches": 1, "discriminator_loss": None, "generator_gradient": None, key: 0})
