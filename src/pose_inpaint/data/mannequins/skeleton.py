"""Skeleton: bones, joint limits and forward kinematics.

The person's axes are x to their left, y up and z forward, in metres; angles are in degrees. A limb's frame has its bone
along -y; flexion, abduction and rotation of a joint turn this frame relative to its parent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pose_inpaint.data.mannequins.geometry import Matrix, Vector, about_x, about_y, about_z, add, apply, compose

Angles = tuple[float, float, float]
Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

MPII_JOINTS: tuple[str, ...] = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)

# Lengths as shares of stature: Drillis and Contini, Body Segment Parameters, 1966, as given in Winter, Biomechanics
# and Motor Control of Human Movement, 4th ed. 2009, figure 4.1. Its half widths of shoulders (0.129) and hips (0.0955)
# include flesh; the two "girdle" entries are smaller, since joint centres lie further in.
BONE_SHARES: Mapping[str, float] = {
    "loin": 0.100,
    "ribcage": 0.188,
    "neck": 0.052,
    "head": 0.130,
    "shoulder_girdle": 0.108,
    "upper_arm": 0.186,
    "forearm": 0.146,
    "hand": 0.108,
    "hip_girdle": 0.055,
    "thigh": 0.245,
    "shank": 0.246,
    "foot": 0.112,
    "heel": 0.040,
}
ANKLE_HEIGHT = 0.039  # ankle centre above the sole as a share of stature; Winter, figure 4.1

# Ranges of motion as (flexion, abduction, rotation), with inward rotation and plantar flexion positive: American
# Academy of Orthopaedic Surgeons, Joint Motion, 1965.
JOINT_LIMITS: Mapping[str, Limits] = {
    "spine": ((-30.0, 80.0), (-35.0, 35.0), (-45.0, 45.0)),
    "neck": ((-45.0, 45.0), (-45.0, 45.0), (-60.0, 60.0)),
    "shoulder": ((-60.0, 180.0), (-30.0, 170.0), (-90.0, 90.0)),
    "elbow": ((0.0, 150.0), (0.0, 0.0), (0.0, 0.0)),
    "wrist": ((-70.0, 80.0), (-20.0, 30.0), (-80.0, 80.0)),
    "hip": ((-30.0, 120.0), (-30.0, 45.0), (-45.0, 45.0)),
    "knee": ((0.0, 135.0), (0.0, 0.0), (0.0, 0.0)),
    "ankle": ((-25.0, 50.0), (-20.0, 20.0), (-15.0, 15.0)),
}
SIDES: tuple[tuple[str, float], ...] = (("right", -1.0), ("left", 1.0))
POSED_JOINTS: tuple[str, ...] = (
    "spine",
    "neck",
    *(f"{side}_{name}" for side, _ in SIDES for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
)


@dataclass(frozen=True)
class Pose:
    """Posture before it is placed on the ground.

    Attributes:
        family: Name of the pose family, such as "running".
        root: Pitch (forward), roll (to the left) and yaw of the pelvis in degrees.
        angles: (flexion, abduction, rotation) in degrees by name in POSED_JOINTS.
        contact: Support of the person: "feet", "foot", "seat", "knee" or "air".
        lift: Height of the lowest point above the ground as a share of stature.
    """

    family: str
    root: Angles
    angles: Mapping[str, Angles]
    contact: str = "feet"
    lift: float = 0.0


@dataclass(frozen=True)
class Skeleton:
    """Posed skeleton.

    Attributes:
        stature: Standing height in metres.
        points: Positions in metres by name: MPII_JOINTS, "waist", and "SIDE_fingertip", "SIDE_heel" and "SIDE_toe".
        frames: Rotations by segment: "pelvis", "chest", "head" and "SIDE_upper_arm" to "SIDE_foot".
    """

    stature: float
    points: Mapping[str, Vector]
    frames: Mapping[str, Matrix]

    def moved(self, by: Vector) -> Skeleton:
        """Return the skeleton shifted by a vector in metres."""
        return Skeleton(self.stature, {name: add(point, by) for name, point in self.points.items()}, self.frames)


def limits_of(joint: str) -> Limits:
    """Return the limits of a joint by its full name, such as "left_knee"."""
    return JOINT_LIMITS[joint.removeprefix("right_").removeprefix("left_")]


def within_limits(joint: str, angles: Angles) -> Angles:
    """Clamp the angles of a joint to its limits."""
    (a, b), (c, d), (e, f) = limits_of(joint)
    return (min(max(angles[0], a), b), min(max(angles[1], c), d), min(max(angles[2], e), f))


def turn(joint: str, angles: Angles) -> Matrix:
    """Return the rotation of a segment's frame relative to its parent.

    Args:
        joint: Name in POSED_JOINTS.
        angles: Flexion, abduction (of spine and neck: lean to the left) and rotation in degrees.
    """
    flexion, abduction, rotation = angles
    side = -1.0 if joint.startswith("right_") else 1.0
    backwards = joint in ("spine", "neck") or joint.endswith(("_knee", "_ankle"))
    lean = -abduction if joint in ("spine", "neck") else abduction
    return compose(about_x(flexion if backwards else -flexion), about_z(side * lean), about_y(-side * rotation))


def assemble(pose: Pose, stature: float) -> Skeleton:
    """Compute the skeleton of a pose by forward kinematics, with the pelvis at the origin.

    Args:
        pose: Pose of the person.
        stature: Standing height in metres.
    """
    share = {name: stature * value for name, value in BONE_SHARES.items()}
    pitch, roll, yaw = pose.root
    pelvis = compose(about_y(yaw), about_x(pitch), about_z(-roll))
    chest = compose(pelvis, turn("spine", pose.angles["spine"]))
    head = compose(chest, turn("neck", pose.angles["neck"]))
    frames = {"pelvis": pelvis, "chest": chest, "head": head}
    points: dict[str, Vector] = {"pelvis": (0.0, 0.0, 0.0)}
    points["waist"] = apply(pelvis, (0.0, share["loin"], 0.0))
    points["thorax"] = add(points["waist"], apply(chest, (0.0, share["ribcage"], 0.0)))
    points["neck"] = add(points["thorax"], apply(head, (0.0, share["neck"], 0.0)))
    points["head_top"] = add(points["neck"], apply(head, (0.0, share["head"], 0.0)))
    for side, sign in SIDES:
        joints = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist", f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        shoulder, elbow, wrist, hip, knee, ankle = joints
        points[shoulder] = add(points["thorax"], apply(chest, (sign * share["shoulder_girdle"], 0.0, 0.0)))
        points[hip] = apply(pelvis, (sign * share["hip_girdle"], 0.0, 0.0))
        chain = (
            (chest, shoulder, elbow, "upper_arm"),
            (None, elbow, wrist, "forearm"),
            (None, wrist, f"{side}_fingertip", "hand"),
            (pelvis, hip, knee, "thigh"),
            (None, knee, ankle, "shank"),
        )
        frame = chest
        for parent, start, end, bone in chain:
            frame = compose(parent or frame, turn(start, pose.angles[start]))
            frames[f"{side}_{bone}"] = frame
            points[end] = add(points[start], apply(frame, (0.0, -share[bone], 0.0)))
        foot = frames[f"{side}_foot"] = compose(frame, turn(ankle, pose.angles[ankle]))
        sole = -ANKLE_HEIGHT * stature
        points[f"{side}_toe"] = add(points[ankle], apply(foot, (0.0, sole, share["foot"])))
        points[f"{side}_heel"] = add(points[ankle], apply(foot, (0.0, sole, -share["heel"])))
    return Skeleton(stature, points, frames)
