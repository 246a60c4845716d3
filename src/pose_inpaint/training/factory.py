"""Builds what trains from checked settings: networks, losses, schedule, optimizers."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import nn

from pose_inpaint.build import build_inpainter, build_metric
from pose_inpaint.config.block_schema import LossSettings, Phase
from pose_inpaint.config.instantiate import build
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.errors import InputError
from pose_inpaint.losses import DiscriminatorLoss, GeneratorLoss, GradientPenalty
from pose_inpaint.runtime.ranks import rank_count
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.schedule import Schedule
from pose_inpaint.training.trainer import learning_rate_factor


def build_generator_loss(loss: LossSettings, phases: Sequence[Phase]) -> GeneratorLoss:
    """Build the generator's loss from the terms in use; a term of weight 0 loads nothing (VGG16, say).

    Raises:
        InputError: A phase names a term that is not in `loss.generator`, or only terms of weight 0.
    """
    blocks = {name: block for name, block in loss.generator.items() if block is not None}
    for phase in phases:
        for term in phase.terms:
            if term not in blocks:
                raise InputError(
                    f"schedule.phases: {phase.name} names the term {term!r}; loss.generator has {', '.join(blocks)}"
                )
    used = {term for phase in phases for term in phase.terms}
    counting = {name: block for name, block in blocks.items() if name in used and block.get("weight") != 0}
    for phase in phases:
        if phase.generator and not set(phase.terms) & set(counting):
            raise InputError(
                f"schedule.phases: every term of {phase.name} ({', '.join(phase.terms)}) has weight 0 in loss.generator"
            )
    return GeneratorLoss({name: build(f"loss.generator.{name}", block) for name, block in counting.items()})


def build_module(settings: TrainSettings, data: InpaintingData, config: dict[str, Any]) -> InpaintingModule:
    """Build the Lightning module of a training; raise `InputError` if the settings don't fit together."""
    generator = build_inpainter(settings.model)
    if not isinstance(generator, nn.Module):
        raise InputError(
            f"model: {settings.model['_target_']} has nothing to train; score it with python -m pose_inpaint.evaluate"
        )
    discriminator = build_discriminator(settings.discriminator, data.size)
    schedule = Schedule(settings.schedule.phases)
    judge: DiscriminatorLoss | None = None
    if any(phase.discriminator for phase in schedule.phases):
        if discriminator is None or settings.loss.discriminator is None:
            raise InputError(
                "discriminator: a phase trains a discriminator, but there is none; choose "
                "discriminator=discriminator2018"
            )
        judge = build("loss.discriminator", settings.loss.discriminator)
        check_game(settings.loss.generator, judge, discriminator, data.batch_size)
    recalibrated = settings.batchnorm.statistics == "recalibrated"
    batches = settings.batchnorm.batches
    return InpaintingModule(
        generator,
        discriminator,
        build_generator_loss(settings.loss, schedule.phases),
        judge,
        schedule,
        build("optim", settings.optim.optimizer),
        {name: build_metric(name, settings.metric) for name in settings.validation},
        discriminator_optimizer=build("optim", settings.optim.discriminator_optimizer)
        if settings.optim.discriminator_optimizer
        else None,
        clip_norm=settings.optim.clip_norm,
        ema_decay=settings.ema.decay,
        calibration_batches=(lambda: data.calibration_dataloader(batches)) if recalibrated else None,
        config=config,
        lr_factor=learning_rate_factor(settings.optim.lr_rule, rank_count()),
    )


def build_discriminator(block: Mapping[str, Any] | None, size: int) -> nn.Module | None:
    """Build the discriminator, or None without one; raise `InputError` if it is configured for another image size."""
    if not block or not block.get("_target_"):
        return None
    if block.get("size", size) != size:
        raise InputError(
            f"discriminator.size={block['size']}: differs from data.size={size}; leave it out to use data.size"
        )
    return cast("nn.Module", build("discriminator", block))


def check_game(terms: Mapping[str, Any], judge: DiscriminatorLoss, discriminator: nn.Module, batch_size: int) -> None:
    """Raise `InputError` unless the generator's and the discriminator's loss fit together."""
    # A Wasserstein or hinge discriminator returns unbounded scores; the other forms expect logits.
    linear = judge.form in ("wasserstein", "hinge")
    for name, term in terms.items():
        form = (term or {}).get("form")
        if form is not None and (form == "linear") != linear:
            raise InputError(
                f"loss.generator.{name}.form={form}: loss.discriminator.form={judge.form} needs "
                f"{'linear' if linear else 'non_saturating or saturating'}"
            )
    normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in discriminator.modules())
    if normalised and any(isinstance(penalty, GradientPenalty) for penalty in judge.penalties.values()):
        raise InputError(
            "loss.discriminator.penalties: a gradient penalty needs a discriminator without batch normalisation, "
            "which makes the score of an image depend on the rest of its batch; choose "
            "discriminator=contextual_attention, or another penalty"
        )
    if judge.real_views == "other" and batch_size < 2:
        raise InputError(f"data.batch_size={batch_size}: loss.discriminator.real_views=other needs at least 2")
