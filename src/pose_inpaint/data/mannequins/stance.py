"""Puts a pose on the ground: equal leg reach, flat soles and the lowest point at the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pose_inpaint.data.mannequins.geometry import Matrix, apply, bisect, compose, cosine, sine
from pose_inpaint.data.mannequins.skeleton import (
    ANKLE_HEIGHT,
    BONE_SHARES,
    JOINT_LIMITS,
    SIDES,
    Angles,
    Pose,
    Skeleton,
    assemble,
    turn,
    within_limits,
)

FLESH: Mapping[str, float] = {  # what lies under a point that touches the floor, as a share of stature
    "knee": 0.034,
    "ankle": ANKLE_HEIGHT * 0.6,
    "wrist": 0.017,
    "fingertip": 0.008,
    "toe": 0.0,
    "heel": 0.0,
}


def settle(pose: Pose, stature: float) -> tuple[Pose, Skeleton]:
    """The pose with its legs fitted to the ground, and its skeleton standing there.

    Args:
        pose: a drawn pose.
        stature: standing height in metres.

    Returns:
        The fitted pose, still inside all joint limits, and the skeleton with the floor at y = 0 and the pelvis above
        the origin.
    """
    angles = dict(pose.angles)
    pelvis = assemble(pose, stature).frames["pelvis"]
    reaches = {side: _reach(pelvis, angles, side, 0.0) for side, _ in SIDES}
    down = max(reaches, key=lambda side: reaches[side])
    if pose.contact in ("feet", "seat"):
        goal = min(reaches.values())
        if reaches[down] - goal > 0.001:
            bend = bisect(lambda by: goal - _reach(pelvis, angles, down, by), 0.0, 60.0)
            angles.update(_bent(angles, down, bend))
        grounded = [side for side, _ in SIDES]
    else:
        grounded = {"foot": [down], "knee": [min(reaches, key=lambda side: reaches[side])]}.get(pose.contact, [])
    if pose.contact == "knee":
        grounded = [side for side, _ in SIDES if angles[f"{side}_hip"][0] > 45.0 + pose.root[0]]
    for side in grounded:
        if pose.lift < 0.02:
            angles[f"{side}_ankle"] = _flat(pelvis, angles, side)
    fitted = replace(pose, angles=angles)
    skeleton = assemble(fitted, stature)
    lowest = min(
        point[1] - FLESH[part] * stature
        for name, point in skeleton.points.items()
        if (part := name.rpartition("_")[2]) in FLESH
    )
    return fitted, skeleton.moved((0.0, pose.lift * stature - lowest, 0.0))


def _bent(angles: Mapping[str, Angles], side: str, by: float) -> dict[str, Angles]:
    hip, knee = angles[f"{side}_hip"], angles[f"{side}_knee"]
    return {
        f"{side}_hip": within_limits("hip", (hip[0] + by, hip[1], hip[2])),
        f"{side}_knee": within_limits("knee", (knee[0] + 2.0 * by, 0.0, 0.0)),
    }


def _shank(pelvis: Matrix, angles: Mapping[str, Angles], side: str) -> tuple[Matrix, Matrix]:
    thigh = compose(pelvis, turn(f"{side}_hip", angles[f"{side}_hip"]))
    return thigh, compose(thigh, turn(f"{side}_knee", angles[f"{side}_knee"]))


def _reach(pelvis: Matrix, angles: Mapping[str, Angles], side: str, bend: float) -> float:
    """How far the ankle lies below the pelvis, as a share of stature, with hip and knee bent by that much more."""
    thigh, shank = _shank(pelvis, {**angles, **_bent(angles, side, bend)}, side)
    sign = -1.0 if side == "right" else 1.0
    girdle = apply(pelvis, (sign * BONE_SHARES["hip_girdle"], 0.0, 0.0))
    return thigh[1][1] * BONE_SHARES["thigh"] + shank[1][1] * BONE_SHARES["shank"] - girdle[1]


def _flat(pelvis: Matrix, angles: Mapping[str, Angles], side: str) -> Angles:
    """Ankle angles that lay the sole on the floor, as far as the limits let them."""
    _, shank = _shank(pelvis, angles, side)
    (_, along, ahead), drawn = shank[1], angles[f"{side}_ankle"]
    flexion = bisect(lambda angle: along * sine(angle) - ahead * cosine(angle), *JOINT_LIMITS["ankle"][0])
    return within_limits("ankle", (flexion, 0.0, drawn[2]))
