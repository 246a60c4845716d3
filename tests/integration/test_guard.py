"""The guard against collapse in a real training."""

import warnings

from conftest import TINY


def test_it_sees_each_side_s_own_numbers_and_stays_silent_by_default(command, tiny_data, tmp_path):
    def messages(*more):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            outcome = command(
                "train", "+experiment=authors2018", f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/{len(more)}",
                *TINY, "test.enabled=false", *more,
            )  # fmt: skip
        assert outcome.status == 0, outcome.err
        return [str(one.message) for one in found if str(one.message).startswith("guard.")]

    assert messages("guard.batches=2") == []
    discriminator, generator = sorted(
        messages("guard.batches=3", "guard.discriminator_loss=1e9", "guard.generator_gradient=1e9")
    )
    assert discriminator.startswith("guard.discriminator_loss=1e+09: train/discriminator/total")
    assert "(batch 6)" in discriminator  # the third of those in which the discriminator steps
    assert generator.startswith("guard.generator_gradient=1e+09: train/generator/gradient_norm")
    assert "(batch 3)" in generator


def test_a_threshold_that_can_t_be_is_named(command, tiny_data, tmp_path):
    more = [f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run", *TINY, "guard.batches=0"]
    outcome = command("train", "+experiment=authors2018", *more)
    assert (outcome.status, outcome.err) == (2, "error: guard.batches=0: must be positive\n")
    assert not (tmp_path / "run").exists()
