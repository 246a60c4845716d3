"""Comparison of the pose in a restored image with a reference pose."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pose_inpaint.data.images import to_bytes
from pose_inpaint.data.joints import available
from pose_inpaint.errors import InputError
from pose_inpaint.pose.cache import remembering
from pose_inpaint.pose.distances import PCK_SHARE, person_scale, relative_distance
from pose_inpaint.pose.estimator import PoseEstimator, Poses
from pose_inpaint.types import Batch, check_choice

ReferenceKind = Literal["estimated", "annotated"]


@dataclass(frozen=True)
class Reference:
    """Reference poses of a batch.

    Attributes:
        joints: X and y in pixels and confidence, (b, 14, 3).
        usable: Whether the image has a person to compare with, (b,).
        near: Poses estimated in the originals, which tell the estimator where to look.
    """

    joints: Float[Tensor, "b 14 3"]
    usable: Bool[Tensor, " b"]
    near: Poses


class PoseJudge:
    """Pose estimator together with the reference that its poses are compared with.

    Args:
        estimator: Pose estimator for restored images and originals.
        reference: "estimated": joints estimated in the original by `estimator`; "annotated": joints of the data set.
    """

    def __init__(self, estimator: PoseEstimator, reference: ReferenceKind = "estimated") -> None:
        check_choice("pose.reference", reference, ReferenceKind)
        self.estimator, self.kind = estimator, reference
        self.remembering = remembering(estimator)

    def describe(self) -> str:
        """Describe estimator and reference in words."""
        reference = "annotated joints" if self.kind == "annotated" else "the joints it finds in the originals"
        return f"{self.estimator.name}, against {reference}"

    def reference(self, batch: Batch) -> Reference:
        """Return the reference poses of a batch; raise `InputError` if they are to be annotated ones that it lacks."""
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
            joints[..., 2] *= available(self.estimator.joint_names)  # 0 for joints that the estimator does not predict
            usable = (joints[..., 2] > 0).any(1)
        return Reference(joints, usable & person_scale(joints).isfinite(), near)

    def compare(
        self, images: Float[Tensor, "b 3 h w"], reference: Reference, masked: Bool[Tensor, "b 14"]
    ) -> Float[Tensor, "b 3 3"]:
        """Compare restored images with the reference over all, masked and known joints.

        Args:
            images: Restored images (b, 3, h, w), in [-1, 1].
            reference: Reference poses of the same images.
            masked: Whether each joint of the reference lies in a hole, (b, 14).

        Returns:
            For all, masked and known joints: weighted distance, share of joints within a fifth of the person's scale,
            and whether the person was found (1 or 0). NaN if the reference has no person or no such joint.
        """
        poses = self.estimator(as_saved(images), reference.near)
        distance = relative_distance(poses.joints, reference.joints).clamp(max=1)
        distance = torch.where(poses.found[:, None], distance, 1.0).double()
        weights = reference.joints[..., 2].double()
        measured = []
        for chosen in (torch.ones_like(masked), masked, ~masked):
            share = weights * chosen
            counts = (share > 0).double()
            correct = ((distance <= PCK_SHARE) & poses.found[:, None]) * counts
            mean = (distance.nan_to_num(1) * share).sum(1) / share.sum(1)
            found = torch.where(counts.any(1), poses.found.double(), torch.nan)
            measured.append(torch.stack([mean, correct.sum(1) / counts.sum(1), found], dim=1))
        return torch.where(reference.usable[:, None, None], torch.stack(measured, dim=1), torch.nan)


def masked_joints(joints: Float[Tensor, "b 14 3"], mask: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 14"]:
    """Whether each joint lies in a masked pixel; False for joints outside the image."""
    height, width = mask.shape[-2:]
    column, row = joints[..., :2].floor().long().unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return (mask[:, 0].flatten(1).gather(1, index.to(mask.device)).cpu() > 0) & inside


def as_saved(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Convert images from [-1, 1] to [0, 1] in steps of 1/255, as in a saved image, on the CPU."""
    return to_bytes(images.float().cpu()).float() / 255
