"""Backgrounds: floors, walls and outdoor scenery."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.chance import pick_weighted
from pose_inpaint.data.mannequins.floors import paint_floor
from pose_inpaint.data.mannequins.noise import Array
from pose_inpaint.data.mannequins.scenery import paint_scenery
from pose_inpaint.data.mannequins.walls import Wall, draw_wall, meet_wall, paint_wall

# Weight, floors and what lies behind them, by kind of background.
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

FARTHEST = 400.0  # end of the floor in metres


@dataclass(frozen=True)
class Backdrop:
    """Painted background.

    Attributes:
        image: Colours without shadows, shape (3, size, size), in [0, 1].
        floor: Flat indices of the pixels that show the floor, shape (pixels,).
        x: World x of the floor at these pixels in metres, shape (pixels,).
        z: World z, away from the camera, shape (pixels,).
    """

    image: Array
    floor: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    x: Array
    z: Array


def draw_kind(rng: np.random.Generator) -> str:
    """Draw a key of KINDS by weight."""
    return pick_weighted(rng, {kind: entry[0] for kind, entry in KINDS.items()})


def is_outdoors(kind: str) -> bool:
    """Return whether a kind of background is outdoors."""
    return kind not in ("room", "gym", "studio")


def paint_backdrop(rng: np.random.Generator, kind: str, camera: Camera, table: Array) -> Backdrop:
    """Paint a background.

    Args:
        rng: Random generator of the image.
        kind: Key of KINDS.
        camera: Camera of the image.
        table: Noise table.
    """
    _, floors, behind = KINDS[kind]
    size = camera.size
    dx, dy, dz = (part.reshape(-1) for part in camera.rays())
    wall = draw_wall(rng, behind, camera) if behind in ("brick", "room", "hall", "studio") else Wall.none()
    far, along, high = meet_wall(wall, camera, dx, dy, dz)
    above = (high / far if wall.style else dy) * camera.focal  # pixels above the floor's edge
    # Both sets include the pixels on the edge, which are blended below.
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
