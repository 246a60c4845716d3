"""From plain settings to real objects: the one place that calls Hydra's `instantiate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from pose_inpaint.config.instantiate import build, find_class
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.errors import InputError
from pose_inpaint.losses import DiscriminatorLoss, GeneratorLoss, GradientPenalty
from pose_inpaint.losses.base import check_weight
from pose_inpaint.metrics.per_image import REGIONS
from pose_inpaint.pose.comparison import PoseJudge
from pose_inpaint.runtime.ranks import rank_count
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.schedule import Phase, Schedule
from pose_inpaint.training.trainer import learning_rate_factor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchmetrics import Metric

    from pose_inpaint.config.schema import DataSettings, LossSettings, PhaseSettings, PoseSettings, TrainSettings
    from pose_inpaint.data.masks import Masks
    from pose_inpaint.data.sources import Source
    from pose_inpaint.metrics import PictureMetric
    from pose_inpaint.pose.comparison import ReferenceKind
    from pose_inpaint.types import Inpainter


def build_inpainter(model: Mapping[str, Any]) -> Inpainter:
    """A system that completes pictures."""
    return cast("Inpainter", build("model", model))


def build_postprocess(block: Mapping[str, Any], inpainter: Inpainter) -> Inpainter:
    """The system with what comes after it, if anything does."""
    if not block.get("_target_"):
        return inpainter
    try:
        return cast("Inpainter", build("postprocess", block)(inpainter))
    except TypeError as error:
        message = f"postprocess: {error}"
        raise InputError(message) from error


def build_generator_loss(loss: LossSettings, phases: Sequence[Phase]) -> GeneratorLoss:
    """The generator's terms; one whose weight is 0 is left out, and its own parts (VGG16, say) are not loaded.

    Raises:
        InputError: a phase names a term that `loss.generator` has not, or only terms of weight 0.
    """
    check_weight("loss.alpha", loss.alpha)
    check_weight("loss.beta", loss.beta)
    blocks = {name: block for name, block in loss.generator.items() if block is not None}
    for phase in phases:
        for term in phase.terms:
            if term not in blocks:
                message = (
                    f"schedule.phases: {phase.name} names the term {term!r}; loss.generator has {', '.join(blocks)}"
                )
                raise InputError(message)
    used = {term for phase in phases for term in phase.terms}
    counting = {name: block for name, block in blocks.items() if name in used and block.get("weight") != 0}
    for phase in phases:
        if phase.generator and not set(phase.terms) & set(counting):
            message = (
                f"schedule.phases: every term of {phase.name} ({', '.join(phase.terms)}) has weight 0 in loss.generator"
            )
            raise InputError(message)
    return GeneratorLoss({name: build(f"loss.generator.{name}", block) for name, block in counting.items()})


def build_schedule(phases: Iterable[PhaseSettings]) -> Schedule:
    """The phases of training."""
    return Schedule([Phase(**vars(phase)) for phase in phases])


def build_data(data: DataSettings, mask: Mapping[str, Any], seed: int) -> InpaintingData:
    """Pictures and masks."""
    masks: Masks = build("mask", mask)
    source: Source = build("data.source", data.source)
    return InpaintingData(source, masks, data.size, data.batch_size, data.workers, seed, data.limit, data.names)


def build_metric(name: str, blocks: Mapping[str, Any], **arguments: Any) -> PictureMetric:
    """A score by its full name METRIC_PICTURE_REGION, such as `mse_composite_hole`.

    Raises:
        InputError: there is no such metric, picture or region.
    """
    parts = name.rsplit("_", 2)
    if len(parts) != 3 or parts[0] not in blocks:
        message = f"{name}: no such score; give METRIC_PICTURE_REGION with a metric of {', '.join(blocks)}"
        raise InputError(message)
    return cast("PictureMetric", build("metric", blocks[parts[0]], picture=parts[1], region=parts[2], **arguments))


def build_metrics(
    blocks: Mapping[str, Any], pictures: Sequence[str], regions: Sequence[str], **arguments: Any
) -> dict[str, Metric]:
    """Every score of every picture and region asked for that it has values for, by its full name.

    Raises:
        InputError: a score can't be built.
    """
    found: dict[str, Metric] = {}
    for metric, block in blocks.items():
        kind = find_class(f"metric.{metric}", block)
        for picture in pictures:
            for region in regions:
                if region in getattr(kind, "regions", REGIONS):
                    name = f"{metric}_{picture}_{region}"
                    found[name] = build_metric(name, blocks, **arguments)
    return found


def build_judge(pose: PoseSettings, device: torch.device) -> PoseJudge | None:
    """The pose estimator with its reference, or None where no poses are scored.

    Raises:
        InputError: the estimator can't be built.
    """
    if pose.estimator is None:
        return None
    block = dict(pose.estimator)
    if "device" in block:
        block["device"] = device
    return PoseJudge(build("pose", block), cast("ReferenceKind", pose.reference))


def build_module(settings: TrainSettings, data: InpaintingData, config: dict[str, Any]) -> InpaintingModule:
    """Everything that trains.

    Raises:
        InputError: the settings don't fit together.
    """
    generator = build_inpainter(settings.model)
    if not isinstance(generator, nn.Module):
        message = f"model: {settings.model['_target_']} does not learn; score it with python -m pose_inpaint.evaluate"
        raise InputError(message)
    critic = build_critic(settings.critic, data.size)
    schedule = build_schedule(settings.schedule.phases)
    judge: DiscriminatorLoss | None = None
    if any(phase.discriminator for phase in schedule.phases):
        if critic is None or settings.loss.discriminator is None:
            message = "critic: a phase trains a discriminator, but there is none; choose critic=discriminator2018"
            raise InputError(message)
        judge = build("loss.discriminator", settings.loss.discriminator)
        check_game(settings.loss.generator, judge, critic, data.batch_size)
    recalibrated = _statistics(settings) == "recalibrated"
    batches = settings.batchnorm.batches
    _check_rates(settings)
    return InpaintingModule(
        generator,
        critic,
        build_generator_loss(settings.loss, schedule.phases),
        judge,
        schedule,
        build("optim", settings.optim.optimizer),
        {name: build_metric(name, settings.metric) for name in settings.validation},
        critic_optimizer=build("optim", settings.optim.critic_optimizer) if settings.optim.critic_optimizer else None,
        clip_norm=settings.optim.clip_norm,
        ema_decay=settings.ema.decay,
        calibration_batches=(lambda: data.calibration_dataloader(batches)) if recalibrated else None,
        config=config,
        lr_factor=learning_rate_factor(settings.optim.lr_rule, rank_count()),
    )


def build_critic(block: Mapping[str, Any] | None, size: int) -> nn.Module | None:
    """The critic, or None where a system has none.

    Raises:
        InputError: it is made for pictures of another size.
    """
    if not block or not block.get("_target_"):
        return None
    if block.get("size", size) != size:
        message = f"critic.size={block['size']}: but data.size={size}; leave it out, so that it follows"
        raise InputError(message)
    return cast("nn.Module", build("critic", block))


def check_game(terms: Mapping[str, Any], judge: DiscriminatorLoss, critic: nn.Module, batch_size: int) -> None:
    """Whether the two sides of the adversarial game fit together.

    Raises:
        InputError: they don't.
    """
    linear = judge.form in ("wasserstein", "hinge")
    for name, term in terms.items():
        form = (term or {}).get("form")
        if form is not None and (form == "linear") != linear:
            message = (
                f"loss.generator.{name}.form={form}: loss.discriminator.form={judge.form} needs "
                f"{'linear' if linear else 'non_saturating or saturating'}"
            )
            raise InputError(message)
    normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())
    if normalised and any(isinstance(penalty, GradientPenalty) for penalty in judge.penalties.values()):
        message = (
            "loss.discriminator.penalties: a gradient penalty needs a critic without batch normalisation, which makes "
            "a picture's score depend on the others; choose critic=contextual_attention, or another penalty"
        )
        raise InputError(message)
    if judge.real_views == "other" and batch_size < 2:
        message = f"data.batch_size={batch_size}: loss.discriminator.real_views=other needs at least 2"
        raise InputError(message)


def _statistics(settings: TrainSettings) -> str:
    if settings.batchnorm.statistics not in ("recalibrated", "running"):
        message = f"batchnorm.statistics={settings.batchnorm.statistics}: not one of recalibrated, running"
        raise InputError(message)
    if settings.batchnorm.batches < 1:
        message = f"batchnorm.batches={settings.batchnorm.batches}: must be at least 1"
        raise InputError(message)
    return settings.batchnorm.statistics


def _check_rates(settings: TrainSettings) -> None:
    if not settings.optim.lr > 0:
        message = f"optim.lr={settings.optim.lr}: must be positive"
        raise InputError(message)
    if settings.optim.clip_norm is not None and not settings.optim.clip_norm > 0:
        message = f"optim.clip_norm={settings.optim.clip_norm}: must be positive, or null for none"
        raise InputError(message)
    if settings.ema.decay is not None and not 0 < settings.ema.decay < 1:
        message = f"ema.decay={settings.ema.decay}: must be in (0, 1), or null for none"
        raise InputError(message)
