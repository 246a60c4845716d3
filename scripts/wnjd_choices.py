"""Print the table in docs/scores.md, "Choices compared": WNJD of four kinds of images under each definition.

    python scripts/wnjd_choices.py DIR --hourglass FILE --blazepose DIR

DIR is a data set in the challenge's layout. The script uses its test split.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from pose_inpaint.data.dataset import collate, read_record
from pose_inpaint.data.joints import TORSO
from pose_inpaint.data.masks import MaskData
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.evaluation.pose_bounds import resave
from pose_inpaint.metrics.bootstrap import estimate_mean
from pose_inpaint.models.classical.constant_fill import MeanFill
from pose_inpaint.models.classical.opencv import OpenCVFill
from pose_inpaint.pose.blazepose import BlazePose
from pose_inpaint.pose.cache import remembering
from pose_inpaint.pose.comparison import as_saved, masked_joints
from pose_inpaint.pose.distances import person_scale
from pose_inpaint.pose.hourglass import HourglassEstimator

if TYPE_CHECKING:
    from torch import Tensor

    from pose_inpaint.pose import PoseEstimator, Poses
    from pose_inpaint.types import Batch


def images_of(batch: Batch) -> dict[str, Tensor]:
    """Return the re-saved originals, two fills and the masked images, each (b, 3, h, w) in [-1, 1]."""
    fills = {"Telea": OpenCVFill("telea"), "mean": MeanFill()}
    inpainted = {name: fill(batch.known, batch.mask).composite(batch)[:, 0] for name, fill in fills.items()}
    return {"re-saved": resave(batch.target, 90), **inpainted, "black": batch.known}


def torso(joints: Tensor) -> Tensor:
    """Distance from left shoulder to right hip in pixels, (b,)."""
    shoulder, hip = (joints[:, joint, :2] for joint in TORSO)
    return (shoulder - hip).norm(dim=-1)


def wnjd(found: Poses, reference: Poses, scale: Tensor, limit: float, weights: Tensor) -> Tensor:
    """WNJD of each image under one choice, (b,); NaN if the original shows no person."""
    distance = ((found.joints - reference.joints)[..., :2].norm(dim=-1) / scale[:, None]).clamp(max=limit)
    distance = torch.where(found.found[:, None], distance, 1.0)
    value = (distance * weights).sum(1) / weights.sum(1)
    return torch.where(reference.found, value, torch.nan)


def rows_of(name: str, estimator: PoseEstimator, batch: Batch, images: dict[str, Tensor], *, given: bool) -> list[str]:
    """Return the table rows of one estimator."""
    estimator = remembering(estimator)
    reference = estimator(as_saved(batch.target))
    near = reference if given else None
    found = {which: estimator(as_saved(each), near) for which, each in images.items()}
    confidence = reference.joints[..., 2]
    masked = masked_joints(reference.joints, batch.mask).float()
    box, spine = person_scale(reference.joints), torso(reference.joints)
    choices = {
        "box, limit 1, confidence (ours)": (box, 1.0, confidence),
        "box, no limit, confidence": (box, float("inf"), confidence),
        "box, limit 1, equal weights": (box, 1.0, (confidence > 0).float()),
        "box, limit 1, confidence, masked joints": (box, 1.0, confidence * masked),
        "torso, limit 1, confidence": (spine, 1.0, confidence),
    }
    rows = []
    for choice, (scale, limit, weights) in choices.items():
        values = {which: wnjd(each, reference, scale, limit, weights) for which, each in found.items()}
        means = " | ".join(f"{estimate_mean(each, 0)['value']:.3f}" for each in values.values())
        step = estimate_mean(values["black"] - values["mean"], 0)
        order = f"{step['value']:+.3f} [{step['low']:+.3f}, {step['high']:+.3f}]"
        rows.append(f"| {name} | {choice} | {means} | {order} |")
    shares = " | ".join(f"{each.found[reference.found].float().mean():.0%}" for each in found.values())
    rows.append(f"| {name} | *people found, of {int(reference.found.sum())}* | {shares} | |")
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--hourglass", required=True)
    parser.add_argument("--blazepose", required=True)
    given = parser.parse_args()
    records = Chalearn(given.data).listing("test", maskdata=True).records
    batch = replace(collate([read_record(record, MaskData(), 128) for record in records]), pose=None)
    images = images_of(batch)
    blazepose, hourglass = BlazePose(given.blazepose), HourglassEstimator(given.hourglass)
    print(f"| estimator | choice | {' | '.join(images)} | black less mean |\n|{'---|' * (3 + len(images))}")
    for name, estimator, given_position in (
        ("BlazePose, person detected again", blazepose, False),
        ("BlazePose, position given", blazepose, True),
        ("hourglass", hourglass, True),
    ):
        print("\n".join(rows_of(name, estimator, batch, images, given=given_position)))


if __name__ == "__main__":
    main()
