"""Backgrounds: sky, scenery, walls and floors as the camera's rays meet them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.chance import pick_weighted
from pose_inpaint.data.mannequins.floors import paint_floor
from pose_inpaint.data.mannequins.noise import Array
from pose_inpaint.data.mannequins.scenery import paint_scenery
from pose_inpaint.data.mannequins.walls import Wall, draw_wall, meet_wall, paint_wall

# Every kind with its chance, what it stands on and what is behind.
KINDS: Mapping[str, tuple[float, tuple[str, ...], str]] = {
    "park": (1.4, ("grass",), "trees"),
    "field": (1.0, ("grass", "earth"), "hills"),
    "beach": (0.7, ("sand",), "sea"),
    "street": (1.2, ("paving", "road"), "buildings"),
    "court": (1.0, ("court",), "trees"),
    "yard": (1.0, ("paving", "grass", "earth"), "brick"),
    "room": (1.6, ("boards", "carpet", "tiles"), "room"),
    "gym": (0.9, ("sport",), "hall"),
    "studio": (0.8, ("studio",), "studio"),
}

FARTHEST = 400.0  # metres at which the floor ends


@dataclass(frozen=True)
class Backdrop:
    """A painted background.

    Attributes:
        image: colours of shape (3, size, size), 0..1, without the person's shadow.
        floor: flat positions of the pixels that show the floor.
        x: world coordinate of the floor there, in metres.
        z: the same, away from the camera.
    """

    image: Array
    floor: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    x: Array
    z: Array


def draw_kind(rng: np.random.Generator) -> str:
    """A key of KINDS, drawn by weight."""
    return pick_weighted(rng, {kind: entry[0] for kind, entry in KINDS.items()})


def is_outdoors(kind: str) -> bool:
    """Whether a kind of background lies under the sky."""
    return kind not in ("room", "gym", "studio")


def paint_backdrop(rng: np.random.Generator, kind: str, camera: Camera, table: Array) -> Backdrop:
    """Paints a background.

    Args:
        rng: the image's stream.
        kind: a key of KINDS.
        camera: the camera.
        table: a noise table.

    Returns:
        The background.
    """
    _, floors, behind = KINDS[kind]
    size = camera.size
    dx, dy, dz = (part.reshape(-1) for part in camera.rays())
    wall = draw_wall(rng, behind, camera) if behind in ("brick", "room", "hall", "studio") else Wall.none()
    far, along, high = meet_wall(wall, camera, dx, dy, dz)
    above = (high / far if wall.style else dy) * camera.focal  # pixels over the floor's edge
    floor, rest = np.flatnonzero(above < 0.5), np.flatnonzero(above > -0.5)
    image = np.zeros((3, size * size))
    reach = np.minimum(camera.position[1] / np.maximum(-dy[floor], 1e-4), np.minimum(far[floor], FARTHEST))
    x, z = camera.position[0] + dx[floor] * reach, camera.position[2] + dz[floor] * reach
    blur = reach / camera.focal
    image[:, floor] = paint_floor(rng, floors, (x, z, reach), blur, table, wall)
    if wall.style:
        scenery = paint_wall(rng, wall, along[rest], high[rest], far[rest] / camera.focal, table)
    else:
        scenery = paint_scenery(rng, behind, (dx[rest], dy[rest], dz[rest]), 2.0 * camera.half_view, table)
    image[:, rest] += np.clip(above[rest] + 0.5, 0.0, 1.0) * (scenery - image[:, rest])
    return Backdrop(image.reshape(3, size, size), floor, x, z)
