"""Props: seats, balls, and objects behind and in front of the person."""

from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.appearance import CLOTH_TONES, Colour, mixed, rgb
from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.chance import happens, pick, uniform
from pose_inpaint.data.mannequins.geometry import IDENTITY, Vector, about_y, add, apply
from pose_inpaint.data.mannequins.materials import Material, ball_panels, mottled, planks, solid_colour
from pose_inpaint.data.mannequins.shapes import Solid, box, cone, ellipsoid
from pose_inpaint.data.mannequins.skeleton import Pose, Skeleton

LEAF_TONES = ("2f4a24", "3d5e2c", "4f7034", "6b7f3a", "35552f")


@dataclass(frozen=True)
class Props:
    """Solids and materials of the props; `first` is the index of their first material."""

    solids: list[Solid]
    materials: list[Material]
    first: int

    def add(self, material: Material, *solids: Solid) -> None:
        """Add solids of one material, replacing their material index."""
        number = self.first + len(self.materials)
        self.materials.append(material)
        self.solids.extend(
            Solid(solid.kind, solid.centre, solid.frame, solid.radii, number, solid.span, solid.origin)
            for solid in solids
        )


def draw_props(
    rng: np.random.Generator, pose: Pose, skeleton: Skeleton, camera: Camera, outdoors: bool, first: int
) -> Props:
    """Draw the props of a scene.

    Args:
        rng: Random generator of the image.
        pose: Pose of the person.
        skeleton: Skeleton of the person.
        camera: Camera of the image.
        outdoors: Whether the scene is outdoors.
        first: Index of the first material.
    """
    props = Props([], [], first)
    if pose.contact == "seat":
        _add_seat(rng, props, pose, skeleton)
    if pose.family in ("throwing", "kicking", "jumping", "running", "swinging") and happens(rng, 0.5):
        _add_ball(rng, props, pose, skeleton)
    if happens(rng, 0.4):
        _add_behind(rng, props, camera, outdoors)
    if happens(rng, 0.26):
        _add_in_front(rng, props, skeleton, camera, outdoors)
    return props


def _wood(rng: np.random.Generator) -> Material:
    tone = rgb(pick(rng, ("8a5c36", "a8794a", "6b4730", "c49a64", "e0ddd5", "4a4f55")))
    return Material(planks(tone, mixed(tone, (0.2, 0.15, 0.1), 0.4), 0.12), gloss=0.05)


def _add_seat(rng: np.random.Generator, props: Props, pose: Pose, skeleton: Skeleton) -> None:
    pelvis, size = skeleton.points["pelvis"], skeleton.stature
    top = max(pelvis[1] - 0.068 * size, 0.06)
    frame = about_y(pose.root[2])
    centre = add(pelvis, apply(frame, (0.0, 0.0, -0.03 * size)))
    wide, deep = uniform(rng, 0.2, 0.75), uniform(rng, 0.19, 0.24)
    if happens(rng, 0.5):
        solid = box((centre[0], 0.5 * top, centre[2]), frame, (wide, 0.5 * top, deep), 0)
        props.add(_wood(rng), solid)
        return
    wide = min(wide, 0.5)
    slab = box((centre[0], top - 0.025, centre[2]), frame, (wide, 0.025, deep), 0)
    legs = []
    for x in (-0.9, 0.9):
        for z in (-0.85, 0.85):
            foot = add((centre[0], 0.0, centre[2]), apply(frame, (x * wide, 0.0, z * deep)))
            legs.append(cone((foot[0], top - 0.03, foot[2]), foot, (0.02, 0.016), 0))
    props.add(_wood(rng), slab, *legs)


def _add_ball(rng: np.random.Generator, props: Props, pose: Pose, skeleton: Skeleton) -> None:
    radius = uniform(rng, 0.05, 0.13)
    side = "right" if happens(rng, 0.5) else "left"
    if pose.family == "throwing":
        side = max(("right", "left"), key=lambda s: skeleton.points[f"{s}_wrist"][1])
        place = add(skeleton.points[f"{side}_fingertip"], (0.0, radius * 0.8, 0.0))
    elif pose.family == "kicking":
        side = max(("right", "left"), key=lambda s: skeleton.points[f"{s}_ankle"][1])
        forward = apply(skeleton.frames["pelvis"], (0.0, 0.0, 1.0))
        place = add(skeleton.points[f"{side}_toe"], forward, uniform(rng, 0.15, 0.5))
    else:
        place = add(skeleton.points[f"{side}_fingertip"], (0.0, -0.6 * radius, 0.0))
    place = (place[0], max(place[1], radius), place[2])
    first, second = rgb(pick(rng, ("f3f3f0", "d9772e", "e2e24a", "c23a34"))), (0.12, 0.12, 0.13)
    props.add(
        Material(ball_panels(first, second, radius), gloss=0.2),
        ellipsoid(place, about_y(uniform(rng, 0.0, 90.0)), (radius, radius, radius), 0),
    )


def _bush(rng: np.random.Generator, centre: Vector, size: float) -> list[Solid]:
    leaves = []
    for _ in range(13):
        offset = (uniform(rng, -0.8, 0.8) * size, uniform(rng, 0.05, 0.65) * size, uniform(rng, -0.3, 0.3) * size)
        radius = uniform(rng, 0.2, 0.4) * size
        leaves.append(ellipsoid(add(centre, offset), IDENTITY, (radius, 0.85 * radius, radius), 0, offset))
    return leaves


def _leaves(rng: np.random.Generator) -> Material:
    paint = mottled(rgb(pick(rng, LEAF_TONES)), rgb(pick(rng, LEAF_TONES)), 0.04, 1.9)
    return Material(paint)


def _foot(place: Vector, radius: float) -> Solid:
    """Build the wider base of a trunk or pole."""
    return ellipsoid(add(place, (0.0, 0.3 * radius, 0.0)), IDENTITY, (1.6 * radius, 0.45 * radius, 1.6 * radius), 0)


def _at_depth(camera: Camera, pixel_share: float, depth: float) -> Vector:
    """Return roughly the point on the floor at this depth and this share of the image's half width."""
    x = pixel_share * depth * camera.half_view
    return add(camera.position, (-x, -camera.position[1], depth))


def _add_behind(rng: np.random.Generator, props: Props, camera: Camera, outdoors: bool) -> None:
    distance = -camera.position[2]
    side = 1.0 if happens(rng, 0.5) else -1.0
    if outdoors:
        place = _at_depth(camera, side * uniform(rng, 0.5, 1.1), distance + uniform(rng, 1.2, 4.0))
        if happens(rng, 0.5):
            props.add(_leaves(rng), *_bush(rng, place, uniform(rng, 0.5, 1.1)))
            return
        radius = uniform(rng, 0.08, 0.2)
        bark = Material(mottled((0.30, 0.23, 0.17), (0.42, 0.35, 0.28), 0.05))
        props.add(
            bark,
            cone(add(place, (0.0, 4.0, 0.0)), add(place, (0.0, 0.5 * radius, 0.0)), (0.7 * radius, radius), 0),
            _foot(place, radius),
        )
        crown = add(place, (0.0, uniform(rng, 2.1, 3.0), 0.0))
        props.add(_leaves(rng), *_bush(rng, crown, uniform(rng, 0.8, 1.5)))
        return
    place = _at_depth(camera, side * uniform(rng, 0.4, 1.0), distance + uniform(rng, 0.45, 0.75))
    half = (uniform(rng, 0.25, 0.6), uniform(rng, 0.2, 0.55), 0.2)
    solid = box(add(place, (0.0, half[1], 0.0)), about_y(uniform(rng, -12.0, 12.0)), half, 0)
    cushion = Material(solid_colour(rgb(pick(rng, CLOTH_TONES))), relief=0.15, grain=0.12)
    props.add(_wood(rng) if happens(rng, 0.6) else cushion, solid)


def _add_in_front(rng: np.random.Generator, props: Props, skeleton: Skeleton, camera: Camera, outdoors: bool) -> None:
    """Add an object between the camera and the person that occludes some limbs."""
    nearest = min(point[2] for point in skeleton.points.values()) - camera.position[2]
    depth = nearest - uniform(rng, 0.25, 0.5)
    if depth < 0.9:
        return
    tall = max(point[1] for point in skeleton.points.values())
    place = _at_depth(camera, uniform(rng, -0.7, 0.7), depth)
    kind = int(rng.integers(4))
    if kind == 0 and outdoors:
        props.add(_leaves(rng), *_bush(rng, place, uniform(rng, 0.3, 0.55) * tall))
    elif kind in (0, 1):
        half = (uniform(rng, 0.2, 0.5), uniform(rng, 0.12, 0.25) * tall, 0.16)
        props.add(_wood(rng), box(add(place, (0.0, half[1], 0.0)), about_y(uniform(rng, -40.0, 40.0)), half, 0))
    elif kind == 2:
        _add_railing(rng, props, place, uniform(rng, 0.3, 0.52) * tall)
    else:
        radius = uniform(rng, 0.05, 0.1)
        tone: Colour = rgb(pick(rng, ("4a4f55", "8b8f95", "6b4730", "e2e24a", "c23a34")))
        props.add(
            Material(solid_colour(tone), gloss=0.2),
            cone(add(place, (0.0, 5.0, 0.0)), add(place, (0.0, 0.5 * radius, 0.0)), (radius, radius), 0),
            _foot(place, radius),
        )


def _add_railing(rng: np.random.Generator, props: Props, place: Vector, height: float) -> None:
    tone = rgb(pick(rng, ("4a4f55", "b9bcc0", "6b4730", "f2f2ee", "2d58a8")))
    bars = [
        cone(add(place, (-3.0, height * share, 0.0)), add(place, (3.0, height * share, 0.0)), (0.022, 0.022), 0)
        for share in (0.5, 1.0)
    ]
    posts = [
        cone(add(place, (x, height, 0.0)), add(place, (x, 0.0, 0.0)), (0.026, 0.026), 0)
        for x in (-2.7, -1.8, -0.9, 0.0, 0.9, 1.8, 2.7)
    ]
    props.add(Material(solid_colour(tone), gloss=0.25), *bars, *posts)
