"""Checks that `evaluate` makes before it reads images, and the scores it computes."""

from collections.abc import Iterable

import torch
from torchmetrics import Metric

from pose_inpaint import build
from pose_inpaint.config.block_schema import JOINTS
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.data.inspection import Inspection
from pose_inpaint.errors import InputError
from pose_inpaint.metrics import ImageMetric
from pose_inpaint.metrics.distribution import DistributionMetric
from pose_inpaint.pose.comparison import PoseJudge
from pose_inpaint.types import Batch


def find_originals(judge: PoseJudge, batches: Iterable[Batch]) -> None:
    """Estimate and cache the poses of the originals; raise `InputError` if no original shows a person."""
    usable = [judge.reference(batch).usable for batch in batches]
    if not torch.cat(usable).any():
        raise InputError(
            f"pose: no person was found in any of the {len(torch.cat(usable))} originals; choose another estimator or "
            "smaller thresholds in pose.estimator, or pose.reference=annotated"
        )


def check_settings(settings: EvaluateSettings) -> None:
    """Raise `InputError` for contradictory settings."""
    if settings.predictions is None and settings.model is None and settings.checkpoint is None:
        raise InputError(
            "nothing to score: give checkpoint=PATH, a model without weights such as model=mean, or predictions=DIR"
        )
    if settings.predictions is not None and (settings.model is not None or settings.checkpoint is not None):
        raise InputError("predictions and a method are both given; give predictions=DIR alone")
    if settings.predictions is not None and settings.postprocess.get("_target_"):
        raise InputError("postprocess: predictions are scored unchanged; leave it out")


def check_originals(inspection: Inspection) -> None:
    """Raise `InputError` if an image of a split has no original."""
    if inspection.blind:
        raise InputError(
            f"split={inspection.split}: {inspection.blind} images have no original to score against; use predict"
        )


def build_scores(settings: EvaluateSettings, judge: PoseJudge | None, images: int) -> dict[str, Metric]:
    """Build every configured score, by full name METRIC_IMAGE_REGION.

    Raises:
        InputError: A score can't be built or needs more images, or the score that ranks the images isn't among them.
    """
    metrics = build.build_metrics(settings.metric, settings.images, settings.regions)
    if judge is not None:
        regions = JOINTS[settings.pose.joints]
        metrics |= build.build_metrics(settings.pose.scores, settings.pose.images, regions, judge=judge)
    for name, metric in metrics.items():
        if isinstance(metric, DistributionMetric) and images < metric.fewest:
            raise InputError(f"metric: {name} needs at least {metric.fewest} images, not {images}; leave it out")
    ranking = [name for name, metric in metrics.items() if isinstance(metric, ImageMetric) and "pooled" not in name]
    if settings.contact_sheet.rank_by not in ranking:
        raise InputError(f"contact_sheet.rank_by={settings.contact_sheet.rank_by}: not one of {', '.join(ranking)}")
    return metrics
