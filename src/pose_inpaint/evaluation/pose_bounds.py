"""Floor and ceiling of the pose scores: the same estimator and images, without inpainting."""

import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pose_inpaint.build import build_metrics
from pose_inpaint.config.block_schema import PoseSettings
from pose_inpaint.data.images import to_bytes, to_image, to_signed, to_tensor
from pose_inpaint.evaluation.evaluator import score
from pose_inpaint.evaluation.scores_file import Bound
from pose_inpaint.pose.comparison import PoseJudge
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.hashing import text_digest
from pose_inpaint.tracking.provenance import write_json
from pose_inpaint.types import Batch, InpaintingOutput

CACHE_VERSION = 1  # raised when bounds would be scored differently


def find_bounds(
    judge: PoseJudge,
    pose: PoseSettings,
    regions: Sequence[str],
    batches: Iterable[Batch],
    seed: int,
    scored: Sequence[object],
) -> dict[str, Bound]:
    """Take the bounds from the cache, or score them if `pose.bounds` is true; empty if they were left out.

    Args:
        judge: Comparison of poses.
        pose: Settings of the poses.
        regions: Joints that count.
        batches: Images with their originals.
        seed: Random seed of the intervals.
        scored: What identifies images, masks and annotated joints.
    """
    if pose.bounds is False:
        return {}
    compared = [judge.estimator.name, judge.kind, list(pose.scores.items()), list(regions), pose.resave_quality]
    file = cache_folder() / "pose_bounds" / f"{text_digest(*compared, *scored, seed, CACHE_VERSION)}.json"
    with suppress(OSError, ValueError, TypeError, AttributeError):  # missing or damaged
        return {which: Bound(**bound) for which, bound in json.loads(file.read_text(encoding="utf-8")).items()}
    if pose.bounds == "auto":
        return {}
    bounds = score_bounds(judge, pose, regions, batches, seed)
    with suppress(OSError):  # an unwritable cache only costs time
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {which: asdict(bound) for which, bound in bounds.items()})
    return bounds


def score_bounds(
    judge: PoseJudge, pose: PoseSettings, regions: Sequence[str], batches: Iterable[Batch], seed: int
) -> dict[str, Bound]:
    """Pose scores of the originals re-saved as JPEG (floor) and of the masked images (ceiling).

    They are the same for every method on the same images and masks, so the poses are cached.
    """
    cached = PoseJudge(judge.remembering, judge.kind)
    quality = pose.resave_quality

    def floor(batch: Batch) -> InpaintingOutput:
        return InpaintingOutput(resave(batch.target, quality)[:, None])

    def ceiling(batch: Batch) -> InpaintingOutput:
        return InpaintingOutput(batch.known[:, None])

    bounds = {}
    for which, what, inpaint in (
        ("floor", f"originals re-saved as JPEG, quality {quality}", floor),
        ("ceiling", "masked images, not restored", ceiling),
    ):
        metrics = build_metrics(pose.scores, ("raw",), regions, judge=cached)
        scores = score(inpaint, batches, metrics, seed=seed, title=f"Pose {which}")
        bounds[which] = Bound(what, scores.over())
    return bounds


def resave(images: Float[Tensor, "b 3 h w"], quality: int) -> Float[Tensor, "b 3 h w"]:
    """Save images in [-1, 1] as JPEG and read them back."""
    saved = []
    for image in to_bytes(images.float().cpu()):
        file = io.BytesIO()
        to_image(image).save(file, "JPEG", quality=quality)
        saved.append(to_signed(to_tensor(Image.open(file).convert("RGB"))))
    return torch.stack(saved)
