"""Families of poses with typical joint angles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pose_inpaint.data.mannequins.chance import around, happens, pick_weighted, uniform
from pose_inpaint.data.mannequins.skeleton import POSED_JOINTS, Angles, Pose, within_limits


@dataclass(frozen=True)
class Family:
    """Typical angles of a family, in degrees.

    Attributes:
        weight: Relative frequency.
        angles: (flexion, abduction, rotation) by joint. "lead_" and "trail_" stand for opposite sides, assigned at
            random; a limb's joint without prefix stands for both sides.
        spread: Largest deviation of flexion; that of other angles is 0.7 times as large, and the neck has its own.
        pitch: Forward lean of the pelvis.
        contact: Contact with the ground; see `Pose`.
        lift: Range of `Pose.lift`.
    """

    weight: float
    angles: Mapping[str, Angles]
    spread: float = 9.0
    pitch: float = 0.0
    contact: str = "feet"
    lift: tuple[float, float] = field(default=(0.0, 0.0))


RELAXED: Mapping[str, Angles] = {
    "spine": (3.0, 0.0, 0.0),
    "neck": (4.0, 0.0, 0.0),
    "shoulder": (2.0, 10.0, 10.0),
    "elbow": (16.0, 0.0, 0.0),
    "wrist": (6.0, 0.0, 0.0),
    "hip": (2.0, 5.0, -6.0),
    "knee": (6.0, 0.0, 0.0),
    "ankle": (0.0, 0.0, -4.0),
}

FAMILIES: Mapping[str, Family] = {
    "standing": Family(1.6, {"lead_knee": (14, 0, 0), "lead_hip": (9, 9, -10)}, spread=7),
    "hands_on_hips": Family(
        0.7, {"shoulder": (-8, 42, 70), "elbow": (92, 0, 0), "wrist": (20, 0, 0), "hip": (2, 9, -8)}, spread=6
    ),
    "arms_crossed": Family(0.5, {"shoulder": (32, 2, 62), "elbow": (98, 0, 0), "hip": (1, 7, -6)}, spread=5),
    "walking": Family(
        1.2,
        {
            "lead_hip": (26, 2, 0),
            "lead_knee": (9, 0, 0),
            "trail_hip": (-14, 2, 0),
            "trail_knee": (22, 0, 0),
            "trail_ankle": (18, 0, 0),
            "lead_shoulder": (-22, 8, 5),
            "trail_shoulder": (26, 6, 10),
            "elbow": (28, 0, 0),
        },
        pitch=3,
        contact="foot",
    ),
    "running": Family(
        1.3,
        {
            "spine": (12, 0, 0),
            "lead_hip": (62, 2, 0),
            "lead_knee": (84, 0, 0),
            "trail_hip": (-6, 2, 0),
            "trail_knee": (32, 0, 0),
            "trail_ankle": (30, 0, 0),
            "lead_shoulder": (-42, 14, 10),
            "trail_shoulder": (36, 8, 25),
            "elbow": (92, 0, 0),
        },
        spread=14,
        pitch=8,
        contact="foot",
        lift=(0.0, 0.06),
    ),
    "arms_raised": Family(0.9, {"shoulder": (10, 150, 0), "elbow": (22, 0, 0), "hip": (2, 10, -8)}, spread=16),
    "waving": Family(
        0.8, {"lead_shoulder": (16, 112, -60), "lead_elbow": (78, 0, 0), "trail_shoulder": (4, 12, 20)}, spread=12
    ),
    "pointing": Family(0.7, {"lead_shoulder": (84, 14, 10), "lead_elbow": (10, 0, 0), "spine": (4, 0, 8)}, spread=14),
    "squatting": Family(
        0.7,
        {
            "spine": (16, 0, 0),
            "neck": (-12, 0, 0),
            "hip": (96, 16, -12),
            "knee": (124, 0, 0),
            "ankle": (-20, 0, 0),
            "shoulder": (66, 8, 20),
            "elbow": (30, 0, 0),
        },
        pitch=22,
    ),
    "sitting": Family(
        1.0,
        {"hip": (84, 8, -4), "knee": (82, 0, 0), "shoulder": (30, 8, 24), "elbow": (48, 0, 0), "spine": (10, 0, 0)},
        spread=8,
        contact="seat",
    ),
    "kicking": Family(
        0.8,
        {
            "lead_hip": (76, 8, 0),
            "lead_knee": (16, 0, 0),
            "lead_ankle": (30, 0, 0),
            "trail_hip": (-14, 2, 0),
            "trail_knee": (12, 0, 0),
            "lead_shoulder": (-26, 40, 0),
            "trail_shoulder": (32, 52, 0),
            "elbow": (26, 0, 0),
        },
        spread=14,
        pitch=-12,
        contact="foot",
    ),
    "lunging": Family(
        0.8,
        {
            "lead_hip": (76, 6, 0),
            "lead_knee": (82, 0, 0),
            "trail_hip": (-22, 6, 0),
            "trail_knee": (24, 0, 0),
            "trail_ankle": (-10, 0, 0),
            "shoulder": (20, 26, 10),
            "elbow": (44, 0, 0),
        },
        spread=10,
        pitch=6,
    ),
    "bending": Family(
        0.7,
        {
            "spine": (46, 0, 0),
            "neck": (-18, 0, 0),
            "hip": (40, 6, 0),
            "knee": (18, 0, 0),
            "shoulder": (62, 8, 10),
            "elbow": (20, 0, 0),
        },
        spread=14,
        pitch=30,
    ),
    "jumping": Family(
        0.9,
        {
            "hip": (26, 26, -8),
            "knee": (52, 0, 0),
            "ankle": (36, 0, 0),
            "shoulder": (30, 112, 0),
            "elbow": (30, 0, 0),
        },
        spread=24,
        contact="air",
        lift=(0.08, 0.3),
    ),
    "throwing": Family(
        0.9,
        {
            "spine": (-4, 8, -18),
            "lead_shoulder": (-12, 96, -66),
            "lead_elbow": (84, 0, 0),
            "trail_shoulder": (56, 44, 0),
            "trail_elbow": (24, 0, 0),
            "trail_hip": (38, 8, 0),
            "trail_knee": (22, 0, 0),
            "lead_hip": (-14, 10, 0),
            "lead_knee": (26, 0, 0),
        },
        spread=12,
    ),
    "swinging": Family(
        0.8,
        {
            "spine": (24, 0, 26),
            "lead_shoulder": (52, -14, 20),
            "lead_elbow": (24, 0, 0),
            "trail_shoulder": (62, -8, 30),
            "trail_elbow": (34, 0, 0),
            "hip": (22, 15, -6),
            "knee": (26, 0, 0),
        },
        spread=10,
        pitch=10,
    ),
    "balancing": Family(
        0.6,
        {
            "lead_hip": (66, 32, -30),
            "lead_knee": (112, 0, 0),
            "trail_hip": (0, 0, 0),
            "trail_knee": (2, 0, 0),
            "shoulder": (8, 128, 0),
            "elbow": (34, 0, 0),
        },
        spread=12,
        contact="foot",
    ),
    "kneeling": Family(
        0.6,
        {
            "lead_hip": (86, 8, 0),
            "lead_knee": (86, 0, 0),
            "trail_hip": (0, 6, 0),
            "trail_knee": (92, 0, 0),
            "trail_ankle": (38, 0, 0),
            "shoulder": (28, 10, 22),
            "elbow": (58, 0, 0),
        },
        spread=8,
        contact="knee",
    ),
    "dancing": Family(
        0.9,
        {
            "spine": (2, 12, 8),
            "lead_shoulder": (24, 124, -10),
            "lead_elbow": (42, 0, 0),
            "trail_shoulder": (10, 62, -10),
            "trail_elbow": (50, 0, 0),
            "lead_hip": (24, 22, -14),
            "lead_knee": (34, 0, 0),
            "trail_hip": (2, 12, -8),
        },
        spread=22,
    ),
}


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a family by weight and a pose from it, with every angle inside the limits of its joint.

    The person may face in any direction, most often towards the camera.

    Args:
        rng: Random generator of the image.
    """
    name = pick_weighted(rng, {name: family.weight for name, family in FAMILIES.items()})
    family = FAMILIES[name]
    lead, trail = ("right", "left") if happens(rng, 0.5) else ("left", "right")
    mirrored = lead == "left"
    angles: dict[str, Angles] = {}
    for joint in POSED_JOINTS:
        typical = _typical(family, joint, lead, trail)
        drawn = (
            around(rng, typical[0], family.spread),
            around(rng, -typical[1] if joint == "spine" and mirrored else typical[1], 0.7 * family.spread),
            around(rng, -typical[2] if joint == "spine" and mirrored else typical[2], 0.7 * family.spread),
        )
        if joint == "neck":
            drawn = (around(rng, typical[0], 16.0), around(rng, 0.0, 12.0), around(rng, 0.0, 45.0))
        if joint.endswith("_hip"):
            drawn = (drawn[0] + family.pitch, drawn[1], drawn[2])  # legs keep their direction when the pelvis leans
        angles[joint] = within_limits(joint, drawn)
    facing = around(rng, 180.0, 120.0) if happens(rng, 0.8) else uniform(rng, 0.0, 360.0)
    root = (around(rng, family.pitch, 0.6 * family.spread), around(rng, 0.0, 4.0), facing)
    return Pose(name, root, angles, family.contact, uniform(rng, *family.lift))


def _typical(family: Family, joint: str, lead: str, trail: str) -> Angles:
    side, _, plain = joint.rpartition("_")
    role = {lead: "lead", trail: "trail", "": ""}[side]
    for key in (f"{role}_{plain}", plain):
        if key in family.angles:
            return family.angles[key]
    return RELAXED[plain]
