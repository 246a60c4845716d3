"""Builds data, models, metrics and pose estimators from settings."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from lightning.pytorch.loggers import Logger
from torchmetrics import Metric

from pose_inpaint.config.block_schema import DataSettings, PoseSettings
from pose_inpaint.config.instantiate import build, find_class
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.images import Resizing
from pose_inpaint.data.masks import Masks
from pose_inpaint.data.sources import Source
from pose_inpaint.errors import InputError
from pose_inpaint.metrics import ImageMetric
from pose_inpaint.metrics.per_image import REGIONS
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.pose.comparison import PoseJudge, ReferenceKind
from pose_inpaint.types import Inpainter


def build_inpainter(model: Mapping[str, Any]) -> Inpainter:
    """Build the model."""
    return cast("Inpainter", build("model", model))


def build_postprocess(block: Mapping[str, Any], inpainter: Inpainter) -> Inpainter:
    """Wrap the model in its post-processing, if there is one."""
    if not block.get("_target_"):
        return inpainter
    try:
        return cast("Inpainter", build("postprocess", block)(inpainter))
    except TypeError as error:
        raise InputError(f"postprocess: {error}") from error


def build_data(
    data: DataSettings, mask: Mapping[str, Any], seed: int, augment: Mapping[str, Any] | None = None
) -> InpaintingData:
    """Build the data module of images and masks, with the augmentation of training images if there is one."""
    masks: Masks = build("mask", mask)
    source: Source = build("data.source", data.source)
    augmentation = build("augment", augment) if augment and augment.get("_target_") else None
    return InpaintingData(
        source,
        masks,
        data.size,
        data.batch_size,
        data.workers,
        seed,
        data.limit,
        data.names,
        augmentation,
        data.half,
        cast("Resizing", data.resize),
        data.packed,
    )


def build_loggers(blocks: Mapping[str, Any]) -> list[Logger]:
    """Build the loggers that are written beside `metrics.csv`."""
    return [build(f"logger.{name}", block) for name, block in blocks.items() if block]


def build_metric(name: str, blocks: Mapping[str, Any], **arguments: Any) -> ImageMetric:
    """Build a score by its full name METRIC_IMAGE_REGION, such as `mse_composite_hole`.

    Raises:
        InputError: The metric, image or region does not exist.
    """
    score = ScoreName.parse(name)
    if score.metric not in blocks:
        raise InputError(f"{name}: no such score; give METRIC_IMAGE_REGION with a metric of {', '.join(blocks)}")
    return cast(
        "ImageMetric", build("metric", blocks[score.metric], image=score.image, region=score.region, **arguments)
    )


def build_metrics(
    blocks: Mapping[str, Any], images: Sequence[str], regions: Sequence[str], **arguments: Any
) -> dict[str, Metric]:
    """Build every metric for the given images and for those regions that it is defined on, by full name.

    A metric's key in the configuration is its name, unless it has an attribute `named`.

    Raises:
        InputError: A score can't be built.
    """
    metrics: dict[str, Metric] = {}
    for metric, block in blocks.items():
        kind = find_class(f"metric.{metric}", block)
        for image in images:
            for region in regions:
                if region in getattr(kind, "regions", REGIONS):
                    built = build_metric(str(ScoreName(metric, image, region)), blocks, **arguments)
                    metrics[str(ScoreName(getattr(built, "named", metric), image, region))] = built
    return metrics


def build_judge(pose: PoseSettings, device: torch.device) -> PoseJudge | None:
    """Build the pose estimator with its reference, or return None if poses are not scored.

    Raises:
        InputError: The estimator can't be built.
    """
    if pose.estimator is None:
        return None
    block = dict(pose.estimator)
    if "device" in block:
        block["device"] = device
    return PoseJudge(build("pose", block), cast("ReferenceKind", pose.reference))
