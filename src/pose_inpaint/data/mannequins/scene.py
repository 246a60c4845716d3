"""Draw one image: a person in a scene, seen by a camera."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_inpaint.data.mannequins.appearance import Look, draw_look
from pose_inpaint.data.mannequins.background import Backdrop, draw_kind, is_outdoors, paint_backdrop
from pose_inpaint.data.mannequins.body import dress, shadow_casters
from pose_inpaint.data.mannequins.camera import Camera, frame_person
from pose_inpaint.data.mannequins.chance import around, stream, uniform
from pose_inpaint.data.mannequins.lighting import Light, draw_light, ground_shadow, self_shadow, shade
from pose_inpaint.data.mannequins.materials import Material
from pose_inpaint.data.mannequins.noise import Array, noise_table
from pose_inpaint.data.mannequins.poses import draw_pose
from pose_inpaint.data.mannequins.props import draw_props
from pose_inpaint.data.mannequins.shapes import Buffer, Solid, rasterise
from pose_inpaint.data.mannequins.skeleton import MPII_JOINTS, Pose, Skeleton
from pose_inpaint.data.mannequins.stance import settle
from pose_inpaint.data.mannequins.surface import surface

SAMPLES = 2  # samples per pixel side of solids
# Largest depth of a joint below the body's own surface, as a share of stature.
TRUNK_FLESH, LIMB_FLESH = 0.10, 0.06


@dataclass(frozen=True)
class Mannequin:
    """Image of a person with its true joints.

    Attributes:
        image: RGB image, shape (size, size, 3), uint8.
        joints: x, y and visibility in the order of MPII_JOINTS, shape (16, 3), float64. x and y are in pixels, with
            integers at pixel centres, and may lie outside the image; visibility is 1 for joints inside the image that
            nothing occludes, else 0.
    """

    image: NDArray[np.uint8]
    joints: NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """Scene as drawn at random before an image is painted.

    The first `person_solids` of the solids belong to the person; `casters` cast the shadows on the floor.
    """

    pose: Pose
    skeleton: Skeleton
    look: Look
    camera: Camera
    kind: str
    light: Light
    solids: list[Solid]
    person_solids: int
    casters: list[Solid]
    materials: list[Material]
    table: Array


def draw(seed: int, index: int, size: int = 128) -> Mannequin:
    """Draw one image, with the same bits on every machine.

    Args:
        seed: Random seed of the data set, at least 0.
        index: Index of the image, at least 0.
        size: Side of the image in pixels, at least 16.

    Returns:
        Image and joints of the person.
    """
    rng = stream(seed, index)
    scene = compose_scene(rng, size)
    return paint_scene(rng, scene)


def compose_scene(rng: np.random.Generator, size: int) -> Scene:
    """Draw look, pose, camera, background, light and props, in this order.

    Args:
        rng: Random generator of the image.
        size: Side of the image in pixels.
    """
    look = draw_look(rng)
    pose, skeleton = settle(draw_pose(rng), look.stature)
    body = dress(pose, skeleton, look)
    outline = [solid.centre for solid in body.solids]
    outline += [point for name, point in skeleton.points.items() if name.endswith(("toe", "heel", "top", "fingertip"))]
    camera = frame_person(rng, outline, size)
    kind = draw_kind(rng)
    light = draw_light(rng, is_outdoors(kind))
    props = draw_props(rng, pose, skeleton, camera, is_outdoors(kind), len(body.materials))
    return Scene(
        pose,
        skeleton,
        look,
        camera,
        kind,
        light,
        body.solids + props.solids,
        len(body.solids),
        shadow_casters(skeleton, look) + props.solids,
        body.materials + props.materials,
        noise_table(rng),
    )


def paint_scene(rng: np.random.Generator, scene: Scene) -> Mannequin:
    """Paint a scene.

    Args:
        rng: Random generator as `compose_scene` left it.
        scene: Scene to paint.

    Returns:
        Image and joints.
    """
    backdrop = paint_backdrop(rng, scene.kind, scene.camera, scene.table)
    image = _shadowed(backdrop, scene)
    camera = scene.camera.enlarged(SAMPLES)
    buffer = rasterise(scene.solids, camera)
    image = _over(image, buffer, scene, camera)
    return Mannequin(_developed(rng, image), _seen_joints(scene, buffer))


def _shadowed(backdrop: Backdrop, scene: Scene) -> Array:
    """Light the background and cast the shadows of all solids on its floor."""
    image = backdrop.image.reshape(3, -1).copy()
    strength = 0.62 - 0.25 * scene.light.softness
    dark = 1.0 - strength * ground_shadow(scene.casters, backdrop.x, backdrop.z, scene.light)
    image[:, backdrop.floor] *= dark
    tint = [0.5 + 0.5 * (scene.light.ambient[k] + 0.75 * scene.light.colour[k]) for k in range(3)]
    shape = backdrop.image.shape
    lit: Array = (image * np.array(tint)[:, None]).reshape(shape)
    return lit


def _over(image: Array, buffer: Buffer, scene: Scene, camera: Camera) -> Array:
    """Composite the solids over the background; a pixel is the mean of its samples."""
    if not scene.solids:
        return image
    visible = surface(buffer, scene.solids, camera)
    shaded = self_shadow(buffer, camera, scene.light).reshape(-1)[visible.index]
    colours = shade(visible, scene.solids, scene.materials, scene.light, shaded, scene.table)
    side = len(buffer.depth)
    layers = np.zeros((4, side * side))
    layers[:3, visible.index] = colours
    layers[3, visible.index] = 1.0
    cells = layers.reshape(4, side // SAMPLES, SAMPLES, side // SAMPLES, SAMPLES)
    total = np.zeros((4, side // SAMPLES, side // SAMPLES))
    # Explicit sums fix the order of additions; `mean` may change it between NumPy versions.
    for row in range(SAMPLES):
        for column in range(SAMPLES):
            total = total + cells[:, :, row, :, column]
    mean = total / (SAMPLES * SAMPLES)
    over: Array = image * (1.0 - mean[3]) + mean[:3]
    return over


def _developed(rng: np.random.Generator, image: Array) -> NDArray[np.uint8]:
    """Apply the camera's blur, vignette, exposure, white balance, contrast and sensor noise."""
    size = image.shape[1]
    soft = uniform(rng, 0.0, 0.22)
    for axis in (1, 2):
        padded = np.concatenate([image.take([0], axis), image, image.take([size - 1], axis)], axis=axis)
        before, after = (padded.take(range(start, start + size), axis) for start in (0, 2))
        image = image * (1.0 - soft) + (before + after) * (0.5 * soft)
    middles = (np.arange(size) + 0.5) / size - 0.5
    radius = middles[None, :] * middles[None, :] + middles[:, None] * middles[:, None]
    image = image * (1.0 - uniform(rng, 0.0, 0.5) * radius)
    exposure, warmth = around(rng, 1.05, 0.16), around(rng, 0.0, 0.05)
    gains = (exposure * (1.0 + warmth), exposure, exposure * (1.0 - warmth))
    image = image * np.array(gains)[:, None, None]
    shoulder = np.where(image > 0.8, 0.8 + (image - 0.8) / (1.0 + 2.2 * np.maximum(image - 0.8, 0.0)), image)
    grain = uniform(rng, 0.004, 0.03)
    noise = rng.random((3, size, size)) + rng.random((1, size, size)) - 1.0
    levels = np.floor(np.clip(shoulder + grain * noise, 0.0, 1.0) * 255.0 + 0.5)
    return np.ascontiguousarray(levels.transpose(1, 2, 0).astype(np.uint8))


def _seen_joints(scene: Scene, buffer: Buffer) -> NDArray[np.float64]:
    """Project the joints; visible ones have nothing in front but the body around the joint itself."""
    joints = np.zeros((len(MPII_JOINTS), 3))
    side = len(buffer.depth)
    for number, name in enumerate(MPII_JOINTS):
        x, y, depth = scene.camera.project(scene.skeleton.points[name])
        column, row = math.floor(x * SAMPLES), math.floor(y * SAMPLES)
        seen = False
        if 0 <= column < side and 0 <= row < side:
            owner, front = int(buffer.owner[row, column]), float(buffer.depth[row, column])
            limb = name.endswith(("knee", "ankle", "elbow", "wrist", "shoulder"))
            flesh = (LIMB_FLESH if limb else TRUNK_FLESH) * scene.skeleton.stature * scene.look.girth
            seen = front > (depth - flesh if owner < scene.person_solids else depth)
        joints[number] = (x - 0.5, y - 0.5, 1.0 if seen else 0.0)
    return joints
