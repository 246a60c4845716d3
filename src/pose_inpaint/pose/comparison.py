"""Compares the pose in a restored image with the reference pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from pose_inpaint.data.images import to_bytes
from pose_inpaint.data.joints import available
from pose_inpaint.errors import InputError
from pose_inpaint.pose.cache import remembering
from pose_inpaint.pose.distances import PCK_SHARE, person_scale, relative_distance
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.types import check_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from pose_inpaint.pose.estimator import PoseEstimator
    from pose_inpaint.types import Batch

ReferenceKind = Literal["estimated", "annotated"]


@dataclass(frozen=True)
class Reference:
    """The poses to compare with.

    Attributes:
        joints: x, y in pixels and confidence, (b, 14, 3).
        usable: whether there is a person to compare with, (b,).
        near: where the estimator saw the person in the original.
    """

    joints: Float[Tensor, "b 14 3"]
    usable: Bool[Tensor, " b"]
    near: Poses


class PoseJudge:
    """An estimator with the reference that its answers are compared with.

    Args:
        estimator: of poses, in restored images and originals alike.
        reference: "estimated": found in the original by the same estimator; "annotated": the data set's joints.
    """

    def __init__(self, estimator: PoseEstimator, reference: ReferenceKind = "estimated") -> None:
        check_choice("pose.reference", reference, ReferenceKind)
        self.estimator, self.kind = estimator, reference
        self.remembering = remembering(estimator)

    def describe(self) -> str:
        """Estimator and reference, in words."""
        reference = "annotated joints" if self.kind == "annotated" else "the joints it finds in the originals"
        return f"{self.estimator.name}, against {reference}"

    def reference(self, batch: Batch) -> Reference:
        """The reference poses of a batch.

        Raises:
            InputError: annotated joints are asked for, and the images have none.
        """
        near = self.remembering(as_saved(batch.target))
        if self.kind == "estimated":
            joints, usable = near.joints, near.found
        else:
            if batch.pose is None:
                raise InputError(
                    f"pose.reference=annotated: {batch.names[0]} has no joints in joints.json; add them, choose "
                    "images that have them with data.names=PATTERN, or pose.reference=estimated"
                )
            joints = batch.pose.cpu().float().clone()
            joints[..., 2] *= available(self.estimator.joint_names)
            usable = (joints[..., 2] > 0).any(1)
        return Reference(joints, usable & person_scale(joints).isfinite(), near)

    def compare(
        self, images: Float[Tensor, "b 3 h w"], reference: Reference, masked: Bool[Tensor, "b 14"]
    ) -> Float[Tensor, "b 3 3"]:
        """What is measured of restored images, over all joints, masked ones and known ones.

        Args:
            images: in [-1, 1].
            reference: of the same images.
            masked: which joints' places were inside a hole.

        Returns:
            Weighted distance, share of joints within a fifth of the person's scale, and found (1 or 0); NaN where the
            reference shows nobody, or has no such joint.
        """
        found = self.estimator(as_saved(images), reference.near)
        distance = relative_distance(found.joints, reference.joints).clamp(max=1)
        distance = torch.where(found.found[:, None], distance, 1.0).double()
        weights = reference.joints[..., 2].double()
        measured = []
        for chosen in (torch.ones_like(masked), masked, ~masked):
            share = weights * chosen
            counts = (share > 0).double()
            right = ((distance <= PCK_SHARE) & found.found[:, None]) * counts
            measured.append(
                torch.stack(
                    [
                        (distance.nan_to_num(1) * share).sum(1) / share.sum(1),
                        right.sum(1) / counts.sum(1),
                        torch.where(counts.any(1), found.found.double(), torch.nan),
                    ],
                    dim=1,
                )
            )
        return torch.where(reference.usable[:, None, None], torch.stack(measured, dim=1), torch.nan)


def masked_joints(joints: Float[Tensor, "b 14 3"], mask: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 14"]:
    """Whether the pixel that each joint lies in is masked; joints outside the image are not."""
    height, width = mask.shape[-2:]
    column, row = joints[..., 0].floor().long(), joints[..., 1].floor().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    places = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return (mask[:, 0].flatten(1).gather(1, places.to(mask.device)).cpu() > 0) & inside


def as_saved(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """From [-1, 1] to [0, 1] in steps of 1/255, as a saved image has them, on the CPU."""
    return to_bytes(images.float().cpu()).float() / 255
