"""Dressed body: solids around a skeleton and their materials."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pose_inpaint.data.mannequins.appearance import Look
from pose_inpaint.data.mannequins.clothing import body_materials
from pose_inpaint.data.mannequins.geometry import Matrix, Vector, add, apply, between, compose, transpose, unit
from pose_inpaint.data.mannequins.head import head_solids
from pose_inpaint.data.mannequins.materials import Material
from pose_inpaint.data.mannequins.shapes import Solid, cone, ellipsoid
from pose_inpaint.data.mannequins.skeleton import BONE_SHARES, SIDES, Pose, Skeleton, turn

Names = Callable[[str], int]

# (position, radius) along a limb: position 0, 1 and 2 are its joints, radii are shares of stature, from the mean girths
# of ANSUR 1988 (Gordon et al., 1989) divided by 2 pi.
ARM: tuple[tuple[float, float], ...] = (
    (0.0, 0.0275),
    (0.15, 0.031),
    (0.35, 0.030),
    (1.0, 0.0245),
    (1.25, 0.026),
    (2.0, 0.0165),
)
LEG: tuple[tuple[float, float], ...] = (
    (0.0, 0.046), (0.2, 0.050), (0.45, 0.046), (1.0, 0.035), (1.3, 0.036), (1.65, 0.027), (2.0, 0.0215),
)  # fmt: skip

# Cross-sections of the trunk as shares of stature: height above the hip joints, half width, half depth and forward
# offset, from the same survey.
TRUNK: tuple[tuple[float, float, float, float], ...] = (
    (-0.030, 0.072, 0.056, -0.004), (0.000, 0.090, 0.064, -0.005), (0.030, 0.092, 0.064, -0.004),
    (0.060, 0.086, 0.060, 0.000), (0.090, 0.080, 0.056, 0.003), (0.120, 0.079, 0.055, 0.003),
    (0.150, 0.082, 0.058, 0.003), (0.180, 0.087, 0.062, 0.003), (0.210, 0.091, 0.064, 0.003),
    (0.240, 0.091, 0.062, 0.000), (0.265, 0.083, 0.054, -0.004),
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """Dressed body: solids in world coordinates and the materials that they index."""

    solids: list[Solid]
    materials: list[Material]


def dress(pose: Pose, skeleton: Skeleton, look: Look) -> Body:
    """Build the body.

    Args:
        pose: Settled pose.
        skeleton: Skeleton of this pose and the look's stature.
        look: Appearance of the person.
    """
    named = body_materials(look)
    order = list(named)
    solids = [*_trunk(pose, skeleton, look, order.index)]
    for side, _ in SIDES:
        solids += _arm(skeleton, look, side, order.index)
        solids += _leg(skeleton, look, side, order.index)
    if look.top == "dress" or look.bottom == "skirt":
        solids += _skirt(skeleton, look, look.leg, order.index("skirt"))
    if look.tail > 0.0:
        solids += _skirt(skeleton, look, look.tail, order.index("sleeve"))
    solids += _neck(skeleton, look, order.index)
    solids += head_solids(look, skeleton.points["neck"], skeleton.frames["head"], order.index)
    return Body(solids, [named[name] for name in order])


def shadow_casters(skeleton: Skeleton, look: Look) -> list[Solid]:
    """Return a few cones that cast nearly the same shadow as the whole body."""
    points, size = skeleton.points, skeleton.stature
    strokes = [("pelvis", "thorax", 0.085), ("neck", "head_top", 0.05), ("left_shoulder", "right_shoulder", 0.035)]
    for side, _ in SIDES:
        strokes += [
            (f"{side}_hip", f"{side}_knee", 0.048),
            (f"{side}_knee", f"{side}_ankle", 0.034),
            (f"{side}_heel", f"{side}_toe", 0.026),
            (f"{side}_shoulder", f"{side}_elbow", 0.029),
            (f"{side}_elbow", f"{side}_wrist", 0.024),
            (f"{side}_wrist", f"{side}_fingertip", 0.018),
        ]
        if look.top == "dress" or look.bottom == "skirt":
            strokes.append(("pelvis", f"{side}_knee", 0.085))
    return [
        cone(points[start], points[end], (radius * size * look.girth, radius * size * look.girth), 0)
        for start, end, radius in strokes
    ]


def _trunk(pose: Pose, skeleton: Skeleton, look: Look, name: Names) -> list[Solid]:
    size, pelvis, chest = skeleton.stature, skeleton.frames["pelvis"], skeleton.frames["chest"]
    hip, waist = skeleton.points["pelvis"], skeleton.points["waist"]
    loin = BONE_SHARES["loin"]
    loose = 1.0 if look.top in ("bare", "tank_top") else 1.05
    solids = []
    for height, wide, deep, forward in TRUNK:
        share = min(max((height - 0.03) / 0.14, 0.0), 1.0)  # spread the bend over the lumbar spine
        flexion, lean, twist = pose.angles["spine"]
        frame = compose(pelvis, turn("spine", (share * flexion, share * lean, share * twist)))
        base, rest = (hip, height) if height < loin else (waist, height - loin)
        upright = pelvis if height < loin else chest
        centre = add(add(base, apply(upright, (0.0, rest * size, 0.0))), apply(frame, (0.0, 0.0, forward * size)))
        broad = look.girth * (look.hips + (look.shoulders - look.hips) * min(max(height / 0.2, 0.0), 1.0))
        radii = (wide * broad * loose * size, 0.05 * size, deep * look.girth * loose * size)
        solids.append(ellipsoid(centre, frame, radii, name("trunk"), (0.0, height * size, 0.0), 0.12))
    thorax = skeleton.points["thorax"]
    for _, sign in SIDES:
        place = (sign * 0.066 * size, -0.006 * size, -0.004 * size)
        radii = (0.058 * look.shoulders * size, 0.038 * size, 0.042 * look.girth * size)
        tilted = compose(chest, turn("spine", (0.0, -sign * -12.0, 0.0)))
        origin = (place[0], (loin + BONE_SHARES["ribcage"]) * size + place[1], 0.0)
        solids.append(ellipsoid(add(thorax, apply(chest, place)), tilted, radii, name("trunk"), origin))
        seat = (sign * 0.040 * size, -0.018 * size, -0.026 * size)
        round_seat = (0.048 * look.hips * size, 0.052 * size, 0.050 * look.girth * size)
        solids.append(ellipsoid(add(hip, apply(pelvis, seat)), pelvis, round_seat, name("trunk"), seat))
        if look.hips > 1.0 and look.shoulders < 1.0:
            bust = (sign * 0.036 * size, -0.078 * size, 0.030 * size)
            mark = (bust[0], (loin + BONE_SHARES["ribcage"]) * size + bust[1], bust[2])
            radii = (0.042 * size, 0.040 * size, 0.036 * look.girth * size)
            solids.append(ellipsoid(add(thorax, apply(chest, bust)), chest, radii, name("trunk"), mark))
    return solids


def _neck(skeleton: Skeleton, look: Look, name: Names) -> list[Solid]:
    size = skeleton.stature
    low = add(skeleton.points["thorax"], apply(skeleton.frames["chest"], (0.0, -0.012 * size, -0.008 * size)))
    high = add(skeleton.points["neck"], apply(skeleton.frames["head"], (0.0, 0.03 * size, -0.010 * size)))
    radius = 0.031 * size * (0.88 + 0.12 * look.girth)
    return [cone(low, high, (radius * 1.12, radius), name("skin"))]


def _limb(
    joints: Sequence[Vector], profile: Sequence[tuple[float, float]], cut: tuple[float, float], name: str, names: Names
) -> list[Solid]:
    """Build the cones along a section of a limb.

    Args:
        joints: Three joints of the limb.
        profile: (position, radius in metres) pairs, as in ARM.
        cut: Start and end of the section, in [0, 2].
        name: Name of the material.
        names: Function from a material's name to its index.
    """
    places = sorted({cut[0], cut[1], *(place for place, _ in profile if cut[0] < place < cut[1])})
    solids = []
    for start, end in pairwise(places):
        radii = (_radius(profile, start), _radius(profile, end))
        bone = int(start)
        a, b = (between(joints[bone], joints[bone + 1], place - bone) for place in (start, end))
        span = math.sqrt(sum((p - q) * (p - q) for p, q in zip(joints[0], joints[1], strict=True)))
        solids.append(cone(a, b, radii, names(name), -span * start))
    return solids


def _radius(profile: Sequence[tuple[float, float]], place: float) -> float:
    for (t0, r0), (t1, r1) in pairwise(profile):
        if place <= t1:
            return r0 + (r1 - r0) * (place - t0) / (t1 - t0)
    return profile[-1][1]


def _arm(skeleton: Skeleton, look: Look, side: str, name: Names) -> list[Solid]:
    size = skeleton.stature
    joints = [skeleton.points[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist")]
    profile = [(place, radius * size * look.girth) for place, radius in ARM]
    solids = _limb(joints, profile, (max(look.sleeve - 0.2, 0.0), 2.0), "skin", name)
    if look.sleeve > 0.0:
        flare = 0.06 if look.sleeve > 1.0 else 0.2
        cloth = [(t, radius * (1.03 + flare * min(t, 1.0)) + 0.0015 * size) for t, radius in profile]
        solids += _limb(joints, cloth, (0.0, look.sleeve), "sleeve", name)
    return solids + _hand(skeleton, side, name)


def _hand(skeleton: Skeleton, side: str, name: Names) -> list[Solid]:
    size, frame = skeleton.stature, skeleton.frames[f"{side}_hand"]
    wrist, skin = skeleton.points[f"{side}_wrist"], name("skin")
    inwards = 1.0 if side == "right" else -1.0

    def at(x: float, y: float, z: float) -> Vector:
        return add(wrist, apply(frame, (inwards * x * size, y * size, z * size)))

    solids = [ellipsoid(at(0.0, -0.028, 0.0), frame, (0.011 * size, 0.031 * size, 0.021 * size), skin)]
    for z in (-0.013, -0.0045, 0.004, 0.0125):
        solids.append(
            cone(at(0.001, -0.048, z), at(0.010, -0.094 + abs(z) * 0.5, z * 1.15), (0.0062 * size, 0.0048 * size), skin)
        )
    solids.append(cone(at(0.004, -0.020, 0.016), at(0.014, -0.056, 0.030), (0.0075 * size, 0.0055 * size), skin))
    return solids


def _leg(skeleton: Skeleton, look: Look, side: str, name: Names) -> list[Solid]:
    size = skeleton.stature
    joints = [skeleton.points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")]
    profile = [(place, radius * size * look.girth) for place, radius in LEG]
    bare = look.top == "dress" or look.bottom == "skirt"
    leg = 0.0 if bare else look.leg
    solids = _limb(joints, profile, (max(leg - 0.3, 0.0), 2.0), "skin", name)
    if leg > 0.0:
        flare = 0.25 * (look.looseness - 1.0)
        cloth = [
            (t, radius * (1.0 + (look.looseness - 1.0) * min(1.0, 0.3 + t)) + (0.002 + flare * 0.02 * t) * size)
            for t, radius in profile
        ]
        solids += _limb(joints, cloth, (0.0, leg), "bottom", name)
    if look.sock_height > 0.0:
        sock = [(place, radius * 1.06 + 0.001 * size) for place, radius in profile]
        solids += _limb(joints, sock, (2.0 - look.sock_height, 2.0), "sock", name)
    return solids + _shoe(skeleton, side, name)


def _shoe(skeleton: Skeleton, side: str, name: Names) -> list[Solid]:
    size, frame = skeleton.stature, skeleton.frames[f"{side}_foot"]
    ankle = skeleton.points[f"{side}_ankle"]
    parts = (
        ((0.0, -0.014, -0.006), (0.025, 0.026, 0.033), "shoe"),
        ((0.0, -0.020, 0.030), (0.027, 0.019, 0.052), "shoe"),
        ((0.0, -0.024, 0.060), (0.029, 0.015, 0.050), "shoe"),
        ((0.0, -0.033, 0.034), (0.0305, 0.007, 0.079), "sole"),
    )
    return [
        ellipsoid(
            add(ankle, apply(frame, (c[0] * size, c[1] * size, c[2] * size))),
            frame,
            (r[0] * size, r[1] * size, r[2] * size),
            name(material),
        )
        for c, r, material in parts
    ]


def _skirt(skeleton: Skeleton, look: Look, reach: float, material: int) -> list[Solid]:
    """Build ellipsoids around both legs, from the hips down to a position in [0, 2] as in LEG."""
    size, pelvis, points = skeleton.stature, skeleton.frames["pelvis"], skeleton.points
    steps = max(3, int(reach * 9.0))
    solids = []
    for step in range(steps + 1):
        place = reach * step / steps
        knee = min(int(place), 1)
        upper, lower = (("hip", "knee"), ("knee", "ankle"))[knee]
        left, right = (
            between(points[f"{side}_{upper}"], points[f"{side}_{lower}"], place - knee) for side in ("left", "right")
        )
        across = add(left, right, -1.0)
        apart = math.sqrt(sum(part * part for part in across))
        side_axis = unit(add(apply(pelvis, (0.6 * size, 0.0, 0.0)), across, 0.6))
        down = unit(add(add(left, points["left_hip"], -1.0), add(right, points["right_hip"], -1.0))) if step else None
        frame = _frame(
            side_axis, apply(pelvis, (0.0, 1.0, 0.0)) if down is None else (-down[0], -down[1], -down[2]), pelvis
        )
        radius = _radius(LEG, place) * size * look.girth
        tall = 0.065 if step == 0 else 0.035  # covers the hips, which would show at the sides
        radii = (0.5 * apart + radius * 1.2, tall * size, radius * 1.32 + 0.008 * size + 0.01 * size * place)
        solids.append(
            ellipsoid(between(left, right, 0.5), frame, radii, material, (0.0, -0.27 * place * size, 0.0), 0.1)
        )
    return solids


def _frame(side: Vector, up: Vector, fallback: Matrix) -> Matrix:
    """Return the frame with x along `side` and y as close to `up` as possible; `fallback` if they are parallel."""
    along = sum(a * b for a, b in zip(side, up, strict=True))
    rest = add(up, side, -along)
    if math.sqrt(sum(part * part for part in rest)) < 0.1:
        return fallback
    y = unit(rest)
    z = (side[1] * y[2] - side[2] * y[1], side[2] * y[0] - side[0] * y[2], side[0] * y[1] - side[1] * y[0])
    return transpose((side, y, z))
