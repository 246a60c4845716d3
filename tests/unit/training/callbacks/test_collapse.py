"""Warnings of the collapse guard: hand-made cases, and comparison with a plain count."""

import warnings
from types import SimpleNamespace

import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.training.callbacks.collapse import CollapseGuard

DISCRIMINATOR, GENERATOR = "train/discriminator/total", "train/generator/gradient_norm"


def run(guard, outputs, form="logistic", every=1, epoch=1000):
    """Return the guard's warnings for a sequence of batch outputs in epochs, each with the number of its batch."""
    module = SimpleNamespace(discriminator_loss=SimpleNamespace(form=form), batches_seen=torch.tensor(0))
    trainer = SimpleNamespace(log_every_n_steps=every)
    messages = []
    guard.on_train_start(trainer, module)
    for index, one in enumerate(outputs):
        module.batches_seen += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            values = {name: torch.tensor(value) for name, value in one.items()}
            guard.on_train_batch_end(trainer, module, values, None, index % epoch)
        messages += [(index + 1, str(warning.message)) for warning in caught]
    return messages


def warned(values, batches, every=1):
    """Return the batches after which the guard warns of a loss below 1."""
    outputs = [{DISCRIMINATOR: float(value)} for value in values]
    return [batch for batch, _ in run(CollapseGuard(batches, 1.0, None), outputs, every=every)]


def test_a_stretch_is_warned_of_once():
    assert warned([0] * 12, batches=3) == [3]


def test_a_stretch_must_be_whole():
    assert warned([0, 0, 2, 0, 0, 2, 0, 0, 2], batches=3) == []


def test_another_stretch_is_warned_of_again():
    assert warned([0, 0, 0, 2, 2, 2, 0, 0, 0], batches=3) == [3, 9]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_as_many_warnings_as_stretches_that_were_long_enough(low, batches):
    stretches, count = 0, 0
    for value in low:
        count = count + 1 if value else 0
        stretches += count == batches
    assert len(warned([0 if value else 2 for value in low], batches)) == stretches


def test_values_are_read_at_logging_intervals_alone():
    assert warned([2, 2, 2, 0] * 3, batches=8, every=4) == [8]
    assert warned([0, 0, 0, 2] * 3, batches=8, every=4) == []


def test_epochs_shorter_than_the_logging_interval_are_read_too():
    outputs = [{DISCRIMINATOR: 0.0}] * 12
    assert [batch for batch, _ in run(CollapseGuard(8, 1.0, None), outputs, every=4, epoch=3)] == [8]


def test_a_network_that_steps_on_few_batches_is_read_at_its_own_steps():
    outputs = [{GENERATOR: 0.0} if batch % 5 == 4 else {} for batch in range(40)]  # Yu et al. 2018: one in five
    assert [batch for batch, _ in run(CollapseGuard(4, None, 1.0), outputs, every=2)] == [20]


def test_a_trainer_that_logs_nothing_is_watched_on_every_batch():
    assert warned([0] * 5, batches=3, every=0) == [3]


def test_the_warning_names_the_threshold_and_what_to_try():
    ((_, message),) = run(CollapseGuard(2, 1e-3, 1e-6), [{DISCRIMINATOR: 1e-4, GENERATOR: 1.0}] * 4)
    assert message.startswith(
        "guard.discriminator_loss=0.001: train/discriminator/total has been below it for 2 batches (batch 2)"
    )
    assert "optim.discriminator_optimizer" in message
    ((_, message),) = run(CollapseGuard(2, 1e-3, 1e-6), [{DISCRIMINATOR: 1.0, GENERATOR: 1e-7}] * 4)
    assert message.startswith("guard.generator_gradient=1e-06: train/generator/gradient_norm")


def test_batches_in_which_a_network_does_not_step_are_not_counted():
    outputs = [{DISCRIMINATOR: 0.0}, {}, {GENERATOR: 1.0}, {DISCRIMINATOR: 0.0}]
    assert [batch for batch, _ in run(CollapseGuard(2, 1e-3, None), outputs)] == [4]


def test_a_wasserstein_discriminator_may_have_any_loss():
    assert run(CollapseGuard(2, 1e-3, None), [{DISCRIMINATOR: 0.0}] * 4, form="wasserstein") == []


def test_null_switches_off():
    assert run(CollapseGuard(2, None, None), [{DISCRIMINATOR: 0.0, GENERATOR: 0.0}] * 4) == []
