"""Joints of every pose in the package, and conversion from other joint sets."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.errors import InputError

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
"""The 14 joints of Leeds Sports Pose (Johnson and Everingham 2010), in its order; MPII's 16 hold them all."""

MIRRORED = tuple(
    JOINTS.index(name.replace("right", "left") if "right" in name else name.replace("left", "right")) for name in JOINTS
)
"""Index of the joint on the other side of the body, for each joint."""

TORSO = (JOINTS.index("left_shoulder"), JOINTS.index("right_hip"))
"""Joints whose distance defines the torso size (Leeds Sports Pose, PCK)."""

SHOULDERS = ("right_shoulder", "left_shoulder")
BODY = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def available(names: Sequence[str]) -> Float[Tensor, " 14"]:
    """Return 1 for each of `JOINTS` that `to_common` can derive from a set of these names, 0 for the others."""
    derived = {"neck"} if set(SHOULDERS) <= set(names) else set()
    return torch.tensor([float(name in names or name in derived) for name in JOINTS])


def to_common(names: Sequence[str], joints: Float[Tensor, "*b j 3"]) -> Float[Tensor, "*b 14 3"]:
    """Convert joints of another set to the order of `JOINTS`; raise `InputError` if it lacks one of `BODY`.

    A missing neck becomes the midpoint of the shoulders, with the lower of their confidences. Any other missing joint
    (usually the top of the head) becomes (0, 0) with confidence 0.

    Args:
        names: Names of the joints, spelled as in `JOINTS` ("left_knee").
        joints: x, y and confidence (or visibility), in the order of `names`.
    """
    for name in (f"{side}_{part}" for part in BODY for side in ("right", "left")):
        if name not in names:
            unknown = f"unknown set of joints, {name} is not among them"
            raise InputError(f"joint_names={list(names)}: {unknown}; name the joints as in {', '.join(JOINTS)}")
    by_name = {name: joints[..., index, :] for index, name in enumerate(names)}
    if "neck" not in by_name:
        right, left = (by_name[name] for name in SHOULDERS)
        confidence = torch.minimum(right[..., 2:], left[..., 2:])
        by_name["neck"] = torch.cat([(right[..., :2] + left[..., :2]) / 2, confidence], dim=-1)
    missing = torch.zeros_like(joints[..., 0, :])
    return torch.stack([by_name.get(name, missing) for name in JOINTS], dim=-2)
