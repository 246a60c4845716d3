import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.config.block_schema import Phase
from pose_inpaint.errors import InputError
from pose_inpaint.training.schedule import Schedule


def phases(*epochs):
    return [Phase(f"phase{i}", count, terms=["l1"]) for i, count in enumerate(epochs)]


def test_truth_table_of_two_phases():
    schedule = Schedule(phases(5, 15))
    assert [schedule.at(epoch).name for epoch in range(22)] == ["phase0"] * 5 + ["phase1"] * 17
    assert schedule.epochs == 20


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_each_phase_has_its_epochs(counts):
    schedule = Schedule(phases(*counts))
    names = [schedule.at(epoch).name for epoch in range(schedule.epochs)]
    assert [names.count(f"phase{i}") for i in range(len(counts))] == counts
    assert names == sorted(names)


@pytest.mark.parametrize("epochs", [0, -3])
def test_a_phase_without_epochs_is_refused(epochs):
    with pytest.raises(InputError, match=rf"phase 'warm' has epochs={epochs}"):
        Phase("warm", epochs, terms=["l1"])


def test_a_phase_that_trains_nothing_is_refused():
    with pytest.raises(InputError, match="trains nothing"):
        Phase("idle", 1, generator=False)
    with pytest.raises(InputError, match="without a loss term"):
        Phase("aimless", 1)


def test_the_generator_steps_on_every_nth_batch():
    phase = Phase("gan", 1, terms=["l1"], discriminator=True, discriminator_steps=3)
    assert [phase.generator_steps(batch) for batch in range(7)] == [False, False, True, False, False, True, False]
    assert all(Phase("gan", 1, terms=["l1"]).generator_steps(batch) for batch in range(3))
    assert not Phase("discriminator", 1, generator=False, discriminator=True).generator_steps(0)


def test_a_generator_with_batches_of_its_own_steps_after_those_of_the_discriminator():
    phase = Phase(
        "gan", 1, terms=["l1"], discriminator=True, discriminator_first=True, discriminator_steps=2, own_batch=True
    )
    assert [phase.generator_steps(batch) for batch in range(7)] == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(
    "options", [{}, {"discriminator": True}, {"generator": False, "discriminator": True, "discriminator_first": True}]
)
def test_batches_of_its_own_need_a_discriminator_that_steps_first(options):
    with pytest.raises(InputError, match="own_batch: it needs a generator and a discriminator that steps first"):
        Phase("gan", 1, terms=["l1"], own_batch=True, **options)


@pytest.mark.parametrize("options", [{"discriminator_steps": 0, "discriminator": True}, {"discriminator_steps": 2}])
def test_impossible_discriminator_steps_are_refused(options):
    with pytest.raises(InputError, match=rf"discriminator_steps={options['discriminator_steps']}: give at least 1"):
        Phase("gan", 1, terms=["l1"], **options)


def test_a_discriminator_that_steps_first_has_no_fresh_pass_to_judge():
    with pytest.raises(InputError, match="fresh_output and discriminator_first"):
        Phase("gan", 1, terms=["l1"], discriminator=True, discriminator_first=True, fresh_output=True)


def test_names_must_differ():
    with pytest.raises(InputError, match="each a different name"):
        Schedule([*phases(1), *phases(2)])
    with pytest.raises(InputError, match="at least one phase"):
        Schedule([])
