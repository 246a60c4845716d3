"""Learning-rate schedules: their values, and what the optimizers get in a training."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Trainer
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR
from torch.utils.data import DataLoader

from pose_inpaint.config.block_schema import Phase
from pose_inpaint.losses import AbsoluteError, DiscriminatorLoss, GeneratorLoss
from pose_inpaint.models.networks.unet2018 import Discriminator, Generator
from pose_inpaint.training.learning_rate import SHAPES, LearningRate
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.schedule import Schedule
from pose_inpaint.types import Batch


def rates_of(scheduler, optimizer, steps):
    """Rates that one of PyTorch's schedulers sets, at steps 0, 1, ..."""
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("shape", "scheduler"),
    [
        ("cosine", lambda optimizer: CosineAnnealingLR(optimizer, 20)),
        ("linear", lambda optimizer: LinearLR(optimizer, 1, 0, total_iters=20)),
        # PyTorch's one-cycle ends one step early and at 1/250,000 of the peak; a long one tells no difference
        ("one_cycle", lambda optimizer: OneCycleLR(optimizer, 0.5, total_steps=2001, final_div_factor=math.inf)),
    ],
)
def test_the_shapes_are_pytorchs(shape, scheduler):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    steps = 2000 if shape == "one_cycle" else 20
    theirs = rates_of(scheduler(optimizer), optimizer, steps)
    ours = [0.5 * LearningRate(shape).factor(step / steps, step) for step in range(steps)]
    assert ours == pytest.approx(theirs, abs=1e-6 if steps == 20 else 2e-3)


@given(st.sampled_from(sorted(SHAPES)), st.floats(-1, 2), st.integers(0, 50), st.integers(0, 100))
def test_a_factor_is_in_0_to_1(shape, progress, warmup, batch):
    assert 0 <= LearningRate(shape, warmup).factor(progress, batch) <= 1


def test_a_warm_up_rises_to_the_shape():
    rate = LearningRate("linear", warmup=4)
    assert [rate.factor(step / 10, step) for step in range(6)] == pytest.approx([0.25, 0.45, 0.6, 0.7, 0.6, 0.5])


class Recorded(InpaintingModule):
    """Keeps the learning rates of every step, in the order of the steps."""

    def configure_optimizers(self):
        self.rates = {0: [], 1: []}
        optimizers = super().configure_optimizers()
        for index, optimizer in enumerate(optimizers):
            optimizer.register_step_pre_hook(
                lambda optimizer, *_, index=index: self.rates[index].append(optimizer.param_groups[0]["lr"])
            )
        return optimizers


def trained(phases, *, batches=4, **options):
    torch.manual_seed(0)
    module = Recorded(
        Generator(2), Discriminator(2, size=32), GeneratorLoss({"l1": AbsoluteError(1)}), DiscriminatorLoss(1),
        Schedule(phases), lambda parameters: torch.optim.SGD(parameters, lr=0.8), {}, **options,
    )  # fmt: skip
    mask = (torch.rand(2, 1, 32, 32) > 0.6).float()
    loader = DataLoader([Batch(torch.rand(2, 3, 32, 32) * 2 - 1, mask, ("a", "b"))] * batches, batch_size=None)
    trainer = Trainer(
        accelerator="cpu", max_epochs=sum(phase.epochs for phase in phases), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, loader)
    return module.rates


WARM, GAN = Phase("warm", 1, terms=["l1"]), Phase("gan", 2, terms=["l1"], discriminator=True)


def test_a_schedule_over_all_of_training_reaches_both_optimizers():
    rates = trained([WARM, GAN], learning_rates=(LearningRate("linear"), LearningRate("none")))
    assert rates[0] == pytest.approx([0.8 * (1 - step / 12) for step in range(12)])
    assert rates[1] == pytest.approx([0.8] * 8)


def test_a_schedule_over_phases_begins_anew_in_each():
    rates = trained([WARM, GAN], learning_rates=(LearningRate("linear"),) * 2, schedule_over="phases")
    ramp = [0.8 * (1 - step / 8) for step in range(8)]
    assert rates[0] == pytest.approx([0.8, 0.6, 0.4, 0.2, *ramp])
    assert rates[1] == pytest.approx(ramp)


def test_a_schedule_over_one_phase_leaves_the_others_constant():
    rates = trained([WARM, GAN], learning_rates=(LearningRate("linear"),) * 2, schedule_over="gan")
    assert rates[0] == pytest.approx([0.8] * 4 + [0.8 * (1 - step / 8) for step in range(8)])


def test_a_warm_up_counts_from_the_start_of_its_phase():
    rising, warm = [0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8], (LearningRate("none", warmup=4),) * 2
    rates = trained([WARM, GAN], learning_rates=warm, schedule_over="gan")
    assert rates[0] == pytest.approx([0.8] * 4 + rising)
    assert rates[1] == pytest.approx(rising)
    rates = trained([WARM, GAN], learning_rates=warm, schedule_over="phases")
    assert rates[0] == pytest.approx(rising[:4] + rising)
