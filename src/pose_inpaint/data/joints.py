"""The joints that every pose of the package has, and the way to them from other sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
"""The 14 joints of Leeds Sports Pose (Johnson and Everingham 2010), in its order; MPII's 16 hold them all."""

MIRRORED = tuple(
    JOINTS.index(name.replace("right", "left") if "right" in name else name.replace("left", "right")) for name in JOINTS
)
"""For each joint, the one on the other side of the body."""

TORSO = (JOINTS.index("left_shoulder"), JOINTS.index("right_hip"))
"""The joints whose distance is the size of the torso (Leeds Sports Pose, PCK)."""

SHOULDERS = ("right_shoulder", "left_shoulder")
BODY = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def available(names: Sequence[str]) -> Float[Tensor, " 14"]:
    """1 for each of `JOINTS` that `to_common` gives a place from a set of these names, 0 for the others."""
    derived = {"neck"} if set(SHOULDERS) <= set(names) else set()
    return torch.tensor([float(name in names or name in derived) for name in JOINTS])


def to_common(names: Sequence[str], joints: Float[Tensor, "*b j 3"]) -> Float[Tensor, "*b 14 3"]:
    """Joints of another set in the order of `JOINTS`.

    A set without a neck gets the midpoint of the shoulders, as sure as the less sure of them; a joint that a set lacks
    besides (the head's top, in most) becomes (0, 0) with confidence 0.

    Args:
        names: of the joints; those of the body are called like ours ("left_knee").
        joints: x, y and confidence (or visible), in the order of `names`.

    Raises:
        InputError: the set lacks a shoulder, elbow, wrist, hip, knee or ankle, so it is unknown here.
    """
    lacking = [f"{side}_{part}" for part in BODY for side in ("right", "left") if f"{side}_{part}" not in names]
    if lacking:
        raise InputError(
            f"joint_names={list(names)}: unknown set of joints, {lacking[0]} is not among them; name them as in "
            f"{', '.join(JOINTS)}"
        )
    place = {name: joints[..., number, :] for number, name in enumerate(names)}
    if "neck" not in place:
        right, left = (place[name] for name in SHOULDERS)
        sure = torch.minimum(right[..., 2:], left[..., 2:])
        place["neck"] = torch.cat([(right[..., :2] + left[..., :2]) / 2, sure], dim=-1)
    nowhere = torch.zeros_like(joints[..., 0, :])
    return torch.stack([place.get(name, nowhere) for name in JOINTS], dim=-2)
