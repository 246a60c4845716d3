"""Distances between poses relative to the person's size."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

PCK_SHARE = 0.2


def person_scale(joints: Float[Tensor, "b j 3"]) -> Float[Tensor, " b"]:
    """Longer side, in pixels, of the bounding box of the joints with a confidence above 0; NaN without such joints.

    The torso length used by Leeds Sports Pose vanishes for people seen from above or from the side; the box does not.
    """
    known = (joints[..., 2] > 0)[..., None]
    largest = torch.where(known, joints[..., :2], -torch.inf).amax(1)
    smallest = torch.where(known, joints[..., :2], torch.inf).amin(1)
    side = (largest - smallest).amax(1)
    return torch.where(side > 0, side, torch.nan)


def relative_distance(joints: Float[Tensor, "b j 3"], reference: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j"]:
    """Distance of each joint from the reference, divided by the scale of the reference person."""
    distance: Tensor = (joints[..., :2] - reference[..., :2]).norm(dim=-1)
    return distance / person_scale(reference)[:, None]


def correct_keypoints(
    joints: Float[Tensor, "b j 3"],
    found: Bool[Tensor, " b"],
    reference: Float[Tensor, "b j 3"],
    scale: Float[Tensor, " b"],
) -> tuple[Bool[Tensor, "b j"], Bool[Tensor, "b j"]]:
    """Joints for PCK@0.2: those within a fifth of the person's scale of the reference, and those that count.

    A joint counts if the reference has it and the person has a scale. All joints of a person who was not found are
    wrong. The score is that of Yang and Ramanan 2013, with the longer side of the person's box as scale.
    """
    counts = (reference[..., 2] > 0) & (scale > 0)[:, None]
    distance = (joints[..., :2] - reference[..., :2]).norm(dim=-1)
    return (distance <= PCK_SHARE * scale[:, None]) & counts & found[:, None], counts
