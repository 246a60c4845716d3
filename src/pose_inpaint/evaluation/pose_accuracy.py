"""Accuracy of a pose estimator on annotated images."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.data.joints import TORSO, available
from pose_inpaint.metrics.bootstrap import estimate, estimate_mean, ratio
from pose_inpaint.pose.distances import correct_keypoints, person_scale
from pose_inpaint.pose.estimator import PoseEstimator, Poses, join
from pose_inpaint.pose.lightning_module import check_poses
from pose_inpaint.types import Batch


def measure_accuracy(estimator: PoseEstimator, batches: Iterable[Batch], seed: int) -> dict[str, Any]:
    """Measure PCK@0.2 on whole images against their annotation and the share of people found, with 95 % intervals.

    `pck` is relative to the longer side of the box around the annotated joints, `pck_torso` to the torso (left shoulder
    to right hip) as in Leeds Sports Pose, if both are annotated. Joints that the estimator doesn't have don't count.
    """
    estimated, truth, seconds = [], [], 0.0
    for batch in batches:
        started = time.perf_counter()
        estimated.append(estimator((batch.target + 1) / 2))
        seconds += time.perf_counter() - started
        truth.append(check_poses(batch))
    poses, reference = join(estimated), torch.cat(truth)
    reference[..., 2] *= available(estimator.joint_names)
    shoulder, hip = (reference[:, joint] for joint in TORSO)
    torso = torch.where((shoulder[:, 2] > 0) & (hip[:, 2] > 0), (shoulder - hip)[:, :2].norm(dim=-1), torch.nan)
    scales = {"pck": person_scale(reference), "pck_torso": torso}
    terms = {name: _pck_terms(poses, reference, scale) for name, scale in scales.items()}
    return {
        **{name: estimate(each, ratio, seed) for name, each in terms.items()},
        "found": estimate_mean(poses.found.double(), seed),
        "milliseconds": 1000 * seconds / len(poses),
    }


def _pck_terms(poses: Poses, reference: Float[Tensor, "b 14 3"], scale: Float[Tensor, " b"]) -> Float[Tensor, "n 2"]:
    """Number of correct joints and of joints that count, for each image that has a scale."""
    correct, counts = correct_keypoints(poses.joints, poses.found, reference, scale)
    return torch.stack([correct.sum(1), counts.sum(1)], dim=1).double()[scale > 0]


def describe_accuracy(accuracy: Mapping[str, Any]) -> str:
    """Describe the accuracy in one line."""
    pck, torso, found = (accuracy[key] for key in ("pck", "pck_torso", "found"))
    return (
        f"PCK@0.2 {pck['value']:.3f} [{pck['low']:.3f}, {pck['high']:.3f}] over the person's box, {torso['value']:.3f} "
        f"[{torso['low']:.3f}, {torso['high']:.3f}] over the torso; {found['value']:.0%} of {found['n']} people found; "
        f"{accuracy['milliseconds']:.0f} ms an image"
    )
