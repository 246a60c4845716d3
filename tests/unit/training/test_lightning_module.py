"""Training step: parameters that change, their gradients, and the inputs of the discriminator."""

import itertools

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers.logger import DummyLogger
from torch import nn
from torch.utils.data import DataLoader

from pose_inpaint.config.block_schema import Phase
from pose_inpaint.losses import AbsoluteError, DiscriminatorLoss, GeneratorAdversarial, GeneratorLoss
from pose_inpaint.models.networks.unet2018 import Discriminator, Generator
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.schedule import Schedule
from pose_inpaint.types import Batch


class Watched(InpaintingModule):
    """Keeps the gradients of both networks at each step, each input of the discriminator, and the generator's weights
    after each batch."""

    def configure_optimizers(self):
        self.seen, self.judged, self.weights = [], [], []
        self.discriminator.register_forward_pre_hook(lambda _, inputs: self.judged.append(inputs[0].detach().clone()))
        optimizers = super().configure_optimizers()
        for optimizer in optimizers:
            optimizer.register_step_pre_hook(lambda *_: self.seen.append(self.gradients()))
        return optimizers

    def on_train_batch_end(self, *_):
        self.weights.append([parameter.detach().clone() for parameter in self.generator.parameters()])

    def gradients(self):
        return tuple(
            [None if p.grad is None else p.grad.clone() for p in network.parameters()]
            for network in (self.generator, self.discriminator)
        )


class Rows(DummyLogger):
    """Keeps the rows that are logged."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append({**metrics, "step": step})


def train(*phases, batches=1, logger=False, every=50, **options):
    torch.manual_seed(0)
    generator, discriminator = Generator(2), Discriminator(2, size=32)
    module = Watched(
        generator, discriminator,
        GeneratorLoss({"l1": AbsoluteError(1), "adversarial": GeneratorAdversarial(1)}),
        DiscriminatorLoss(1), Schedule(list(phases)), lambda weights: torch.optim.SGD(weights, lr=0.5), {}, **options,
    )  # fmt: skip
    mask = (torch.rand(4, 1, 32, 32) > 0.6).float()
    batch = Batch(torch.rand(4, 3, 32, 32) * 2 - 1, mask, ("a", "b", "c", "d"))
    epochs = sum(phase.epochs for phase in phases)
    loader = DataLoader([batch] * batches, batch_size=None)
    trainer = Trainer(
        accelerator="cpu", max_epochs=epochs, logger=logger, log_every_n_steps=every,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    before = {name: value.clone() for name, value in module.named_parameters()}
    trainer.fit(module, loader)
    moved = {name.split(".")[0] for name, value in module.named_parameters() if not torch.equal(value, before[name])}
    return module, batch, moved


BOTH = {"terms": ["l1", "adversarial"], "discriminator": True}


def test_the_discriminator_gets_no_gradient_from_the_generators_step():
    module, _, moved = train(Phase("gan", 1, **BOTH))
    (_, discriminator_then), _ = module.seen
    assert all(gradient is None for gradient in discriminator_then)
    assert moved == {"generator", "discriminator"}


def test_the_generator_gets_no_gradient_from_the_discriminators_step():
    module, _, _ = train(Phase("gan", 1, **BOTH))
    (generator_then, _), (generator_after, discriminator) = module.seen
    assert all(torch.equal(then, after) for then, after in zip(generator_then, generator_after, strict=True))
    assert all(gradient is not None for gradient in discriminator)


def test_gradients_do_not_pile_up_over_batches():
    module, _, _ = train(Phase("gan", 1, **BOTH), batches=3, lr_factor=1e-12)  # nothing moves
    for which in (0, 1):
        norms = [float(nn.utils.get_total_norm(seen[which])) for seen in module.seen[which::2]]
        assert norms == pytest.approx([norms[0]] * 3, rel=1e-3)
        assert norms[0] > 0


def test_a_phase_without_a_discriminator_leaves_it_alone():
    module, _, moved = train(Phase("warm", 1, terms=["l1"]))
    assert moved == {"generator"}
    assert not module.judged


def test_a_phase_without_the_generator_leaves_it_alone():
    module, _, moved = train(Phase("discriminator", 1, generator=False, discriminator=True))
    assert moved == {"discriminator"}
    assert len(module.seen) == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_the_discriminator_judges_the_generator_after_its_step_if_asked(fresh):
    module, batch, _ = train(Phase("gan", 1, **BOTH, fresh_output=fresh))
    for_generator, real, fake = module.judged
    assert torch.equal(real, batch.target)
    with torch.no_grad():
        after = module.generator.train()(batch.known, batch.mask).composite(batch)[:, 0]
    assert torch.allclose(fake, after, atol=1e-6) == fresh
    assert torch.equal(fake, for_generator) == (not fresh)


def test_a_discriminator_that_steps_first_judges_the_pass_the_generator_is_trained_on():
    module, batch, _ = train(Phase("gan", 1, **BOTH, discriminator_first=True))
    real, fake, for_generator = module.judged
    assert torch.equal(real, batch.target)
    assert torch.equal(fake, for_generator)
    (generator_then, discriminator), (generator_after, _) = module.seen
    assert all(gradient is None for gradient in generator_then)
    assert all(gradient is not None for gradient in (*discriminator, *generator_after))


def test_the_generators_loss_is_by_the_discriminator_after_its_step():
    values = []
    for first in (True, False):
        logger = Rows()
        train(Phase("gan", 1, **BOTH, discriminator_first=first), logger=logger)
        values.append(logger.rows[0]["train/generator/adversarial"])
    assert values[0] != values[1]


def test_the_discriminator_steps_several_batches_for_each_of_the_generator():
    module, _, moved = train(Phase("gan", 1, **BOTH, discriminator_first=True, discriminator_steps=3), batches=7)
    assert moved == {"generator", "discriminator"}
    assert len(module.seen) == 7 + 2
    assert int(module.batches_seen) == 7


def test_the_discriminators_steps_are_counted_on_over_epochs():
    steps = Phase("gan", 3, **BOTH, discriminator_first=True, discriminator_steps=3)
    module, _, _ = train(steps, batches=4)  # the third of each three batches, of 12
    moved = [
        any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        for before, after in itertools.pairwise(module.weights)
    ]
    assert moved == [batch in (2, 5, 8, 11) for batch in range(1, 12)]


def test_the_generator_may_step_on_a_batch_of_its_own():
    module, _, _ = train(
        Phase("gan", 1, **BOTH, discriminator_first=True, discriminator_steps=5, own_batch=True), batches=13
    )
    # Two cycles of five steps of the discriminator, which sees originals and outputs, and one of the generator, which
    # shows it outputs alone; then one more step of the discriminator.
    assert len(module.seen) == 13
    assert len(module.judged) == 2 * (5 * 2 + 1) + 2


def test_the_discriminator_may_have_an_optimizer_of_its_own():
    own = lambda parameters: torch.optim.Adam(parameters, lr=0.125)  # noqa: E731
    module, _, _ = train(Phase("gan", 1, **BOTH), discriminator_optimizer=own)
    generator, discriminator = module.optimizers()
    assert generator.param_groups[0]["lr"] == 0.5
    assert discriminator.param_groups[0]["lr"] == 0.125
    assert isinstance(discriminator.optimizer, torch.optim.Adam)


def test_a_checkpoint_says_whether_its_batchnorm_statistics_are_those_of_its_weights():
    module, batch, _ = train(Phase("warm", 1, terms=["l1"]), batches=2)
    module.calibration_batches = lambda: [batch]

    def statistics():
        content = {}
        module.on_save_checkpoint(content)
        return content["pose_inpaint"]["batchnorm"]

    assert statistics() == "running"
    module.on_validation_start()
    assert statistics() == "recalibrated"
    module.batches_seen += 1
    assert statistics() == "running"


def test_clipping_bounds_the_norm():
    module, _, _ = train(Phase("warm", 1, terms=["l1"]), clip_norm=1e-3)
    ((generator, _),) = module.seen
    assert nn.utils.get_total_norm(generator).item() == pytest.approx(1e-3, rel=1e-3)


def test_the_average_follows_the_generator_by_its_decay():
    module, _, _ = train(Phase("warm", 1, terms=["l1"]), batches=3, ema_decay=0.25)
    first, second, third = module.weights
    for average, a, b, c in zip(module.inference_network.parameters(), first, second, third, strict=True):
        torch.testing.assert_close(average, 0.25 * (0.25 * a + 0.75 * b) + 0.75 * c)
        assert not torch.equal(average, c) or torch.equal(b, c)
    assert not [name for name, _ in module.ema.named_parameters() if "discriminator" in name]
    assert module.inference_network is module.ema.module


def test_gradient_norms_are_logged_as_they_are_before_clipping():
    logs = Rows(), Rows()
    free, _, _ = train(Phase("gan", 1, **BOTH), logger=logs[0])
    train(Phase("gan", 1, **BOTH), clip_norm=1e-3, logger=logs[1])
    for which, side in enumerate(("generator", "discriminator")):
        norms = [logger.rows[0][f"train/{side}/gradient_norm"] for logger in logs]
        gradients = free.seen[which][which]  # at the network's own step
        by_hand = sum(gradient.double().square().sum() for gradient in gradients if gradient is not None).sqrt()
        assert norms[0] == pytest.approx(by_hand.item(), rel=1e-5)
        if side == "generator":  # steps first, so both runs are the same up to here
            assert norms[1] == norms[0] > 1e-3


@pytest.mark.parametrize(
    ("steps", "every", "generator", "discriminator", "batches"),
    [
        # Two phases of 6 batches: the first and the last of each, and those that the interval takes, once each.
        (1, 50, [0, 5, 6, 11], [6, 11], [0, 5, 6, 11]),
        (1, 4, [0, 3, 5, 6, 7, 11], [6, 7, 11], [0, 3, 5, 6, 7, 11]),
        (4, 50, [0, 5, 7, 11], [6, 7, 11], [0, 5, 6, 7, 11]),  # the generator steps on batches 7 and 11
        (1, 1, list(range(12)), list(range(6, 12)), list(range(12))),
        (1, 0, [], [], []),
    ],
)
def test_a_short_training_logs_all_of_both_networks(steps, every, generator, discriminator, batches):
    logger = Rows()
    phases = Phase("first", 1, ["l1"]), Phase("second", 1, **BOTH, discriminator_steps=steps)
    train(*phases, batches=6, logger=logger, every=every)
    rows = [row for row in logger.rows if "batch" in row]
    assert [row["step"] for row in rows] == batches
    assert all(row["batch"] == row["step"] + 1 for row in rows)
    assert all(row["phase"] == row["epoch"] == row["step"] // 6 for row in rows)
    for side, steps_logged in {"generator": generator, "discriminator": discriminator}.items():
        for name in ("total", "lr", "gradient_norm"):
            assert [row["step"] for row in rows if f"train/{side}/{name}" in row] == steps_logged
    assert [row["step"] for row in rows if "train/generator/adversarial" in row] == [n for n in generator if n > 5]
    assert [row["step"] for row in rows if "train/discriminator/real" in row] == discriminator
