"""Place a pose on the ground: equal leg reach, flat soles and the lowest point on the floor."""

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

FLESH: Mapping[str, float] = {  # flesh between a point and the floor, as a share of stature
    "knee": 0.034,
    "ankle": ANKLE_HEIGHT * 0.6,
    "wrist": 0.017,
    "fingertip": 0.008,
    "toe": 0.0,
    "heel": 0.0,
}


def settle(pose: Pose, stature: float) -> tuple[Pose, Skeleton]:
    """Fit the legs of a pose to the ground and place its skeleton there.

    Args:
        pose: Drawn pose.
        stature: Standing height in metres.

    Returns:
        Fitted pose inside all joint limits, and its skeleton with the floor at y = 0 and the pelvis above the origin.
    """
    angles = dict(pose.angles)
    pelvis = assemble(pose, stature).frames["pelvis"]
    reaches = {side: _reach(pelvis, angles, side, 0.0) for side, _ in SIDES}
    down = max(reaches, key=lambda side: reaches[side])
    if pose.contact in ("feet", "seat"):
        goal = min(reaches.values())
        if reaches[down] - goal > 0.001:
            # Bending the longer leg shortens its reach, so the goal minus the reach increases.
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
    """Return the height of the pelvis above the ankle as a share of stature, with the leg bent further by `bend`."""
    thigh, shank = _shank(pelvis, {**angles, **_bent(angles, side, bend)}, side)
    sign = -1.0 if side == "right" else 1.0
    girdle = apply(pelvis, (sign * BONE_SHARES["hip_girdle"], 0.0, 0.0))
    return thigh[1][1] * BONE_SHARES["thigh"] + shank[1][1] * BONE_SHARES["shank"] - girdle[1]


def _flat(pelvis: Matrix, angles: Mapping[str, Angles], side: str) -> Angles:
    """Return ankle angles that lay the sole flat on the floor, within the limits."""
    _, shank = _shank(pelvis, angles, side)
    (_, along, ahead), drawn = shank[1], angles[f"{side}_ankle"]
    flexion = bisect(lambda angle: along * sine(angle) - ahead * cosine(angle), *JOINT_LIMITS["ankle"][0])
    return within_limits("ankle", (flexion, 0.0, drawn[2]))
