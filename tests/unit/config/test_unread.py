import pytest
from hydra import compose, initialize_config_dir

from pose_inpaint.config.command import CONF
from pose_inpaint.config.unread import unread, warn_unread


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides))


@pytest.mark.parametrize(
    ("overrides", "key", "reason"),
    [
        (["+experiment=quickstart"], "loss.alpha", "no other setting refers to it"),
        (["+experiment=quickstart"], "data.root", "no other setting refers to it"),
        (["+experiment=quickstart"], "loss.features.weights", "only loss.generator.perceptual.features.weights refers"),
        (["+experiment=quickstart"], "loss.generator.perceptual.scale", "lists the term 'perceptual'"),
        (["+experiment=slides2018", "loss.generator.mask.weight=0"], "loss.alpha", "no other setting refers to it"),
        (
            ["+experiment=slides2018", "loss.generator.perceptual.weight=0"],
            "loss.generator.perceptual.image",
            "loss.generator.perceptual.weight is 0",
        ),
        (
            ["+experiment=slides2018", "trainer.max_epochs=5"],
            "loss.beta",
            "only loss.discriminator.beta refers to it, and no phase that is trained trains the discriminator",
        ),
        (
            ["+experiment=slides2018", "trainer.max_epochs=5"],
            "schedule.phases.1.epochs",
            "trainer.max_epochs=5 ends the training before phase 'adversarial'",
        ),
        (["+experiment=slides2018", "trainer.max_epochs=5"], "discriminator.width", "has a discriminator"),
        (["+experiment=slides2018", "trainer.max_epochs=5"], "discriminator", "has a discriminator"),
        (["+experiment=small_error"], "discriminator.width", "discriminator is switched off"),
        (["+experiment=slides2018", "optim.optimizer.lr=0.1"], "optim.lr", "no other setting refers to it"),
        (["+experiment=slides2018"], "ema.warmup", "ema.decay is null"),
        (["+experiment=slides2018", "batchnorm.statistics=running"], "batchnorm.batches", "running"),
        (["+experiment=slides2018"], "optim.schedule_over", "optim.schedule is none"),
        (["+experiment=slides2018"], "optim.lr_rule", "one device"),
        (["+experiment=slides2018"], "schedule.phases.0.fresh_output", "trains no discriminator"),
        (["+experiment=glcic"], "schedule.phases.1.terms", "doesn't train the generator"),
        (["+experiment=slides2018", "test.enabled=false"], "metric.ssim", "no score of validation"),
    ],
)
def test_what_a_training_does_not_read_has_a_reason(overrides, key, reason):
    assert reason in unread(composed(*overrides), [key])[key]


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        (
            ["+experiment=slides2018"],
            [
                "loss.alpha", "loss.beta", "loss.features.weights", "loss.features", "optim.lr", "optim", "model.width",
                "loss", "discriminator", "discriminator.width", "seed", "ema.decay", "data.limit", "schedule",
                "schedule.phases.1.terms", "test.checkpoint", "metric.ssim", "batchnorm.batches", "logger", "augment",
                "loss.generator.perceptual.weight", "loss.generator", "trainer.devices", "+experiment",
            ],
        ),
        (["+experiment=slides2018", "loss.alpha=0"], ["loss.alpha", "loss.generator.mask.weight"]),
        (["+experiment=small_error"], ["discriminator", "optim.lr", "ema.warmup", "optim.schedule_over"]),
        (["+experiment=slides2018", "data=chalearn"], ["data.root"]),
        (["+experiment=glcic"], ["loss.beta", "discriminator.patch", "schedule.phases.0.epochs"]),
        (["+experiment=slides2018", "test.enabled=false"], ["metric.mse"]),
        (["+experiment=slides2018", "trainer.devices=2"], ["optim.lr_rule"]),
        # An adversarial term, or its discriminator's features, read a discriminator that no phase trains.
        (["+experiment=slides2018", "schedule.phases.1.discriminator=false"], ["discriminator.width"]),
        (
            ["loss=feature_matching", "schedule.phases=[{name: a, epochs: 1, terms: [feature_matching]}]"],
            ["discriminator.width"],
        ),
    ],
)  # fmt: skip
def test_what_a_training_reads_is_not_named(overrides, keys):
    assert unread(composed(*overrides), keys) == {}


def test_a_weight_of_zero_needs_no_warning(capsys):
    config = composed("+experiment=quickstart", "loss.generator.perceptual.weight=0", "loss.alpha=1e-5")
    warn_unread(config, ["loss.generator.perceptual.weight=0", "loss.alpha=1e-5", "+experiment=quickstart"])
    assert capsys.readouterr().err == "warning: loss.alpha=1e-5: has no effect: no other setting refers to it\n"
