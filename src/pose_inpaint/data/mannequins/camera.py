"""Pinhole camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose_inpaint.data.mannequins.chance import around, happens, uniform
from pose_inpaint.data.mannequins.geometry import Matrix, Vector, about_z, add, apply, compose, cross, unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Pinhole camera that looks roughly along +z in a world with y up and the floor at y = 0.

    Attributes:
        position: Position of the pinhole in metres.
        rotation: Right, down and forward axes of the camera in the world, as rows.
        focal: Focal length in pixels.
        centre: Principal point (x, y) in pixels; pixel (0, 0) covers [0, 1) x [0, 1).
        size: Side of the square image in pixels.
    """

    position: Vector
    rotation: Matrix
    focal: float
    centre: tuple[float, float]
    size: int

    @property
    def half_view(self) -> float:
        """Half the width of the view at a distance of 1."""
        return 0.5 * self.size / self.focal

    def view(self, point: Vector) -> Vector:
        """Transform a point from world to camera axes, in metres; z is its depth."""
        return apply(self.rotation, add(point, self.position, -1.0))

    def project(self, point: Vector) -> Vector:
        """Project a point of the world to x and y in pixels and depth in metres."""
        x, y, z = self.view(point)
        z = max(z, 0.05)
        return (self.centre[0] + self.focal * x / z, self.centre[1] + self.focal * y / z, z)

    def enlarged(self, factor: int) -> Camera:
        """Return the same camera with `factor` times the pixels per side."""
        x, y = self.centre
        return replace(self, focal=self.focal * factor, centre=(x * factor, y * factor), size=self.size * factor)

    def rays(self) -> tuple[Array, Array, Array]:
        """Return x, y and z of the pixels' rays in the world, scaled to depth 1, each of shape (size, size)."""
        middles = np.arange(self.size, dtype=np.float64) + 0.5
        u = (middles[None, :] - self.centre[0]) / self.focal
        v = (middles[:, None] - self.centre[1]) / self.focal
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = self.rotation
        return u * ax + v * bx + cx, u * ay + v * by + cy, u * az + v * bz + cz


def frame_person(rng: np.random.Generator, points: Sequence[Vector], size: int) -> Camera:
    """Draw a camera that shows the whole person, or sometimes a closer view that crops limbs.

    Args:
        rng: Random generator of the image.
        points: Points on the person's outline in metres.
        size: Side of the image in pixels.
    """
    low = tuple(min(point[k] for point in points) for k in range(3))
    high = tuple(max(point[k] for point in points) for k in range(3))
    aim = tuple(0.5 * (a + b) for a, b in zip(low, high, strict=True))
    distance = uniform(rng, 2.6, 6.5)
    height = aim[1] + distance * around(rng, 0.13, 0.3)
    position = (aim[0], max(0.25, height), aim[2] - distance)
    forward = unit((0.0, aim[1] - position[1], distance))
    right = unit(cross(forward, (0.0, 1.0, 0.0)))
    rolled = compose(about_z(around(rng, 0.0, 7.0)), (right, cross(forward, right), forward))
    # Project with unit focal length; focal length and principal point then follow from the bounding box.
    camera = Camera(position, rolled, 1.0, (0.0, 0.0), size)
    seen = [camera.project(point) for point in points]
    left, top = (min(point[k] for point in seen) for k in range(2))
    width, tall = max(point[0] for point in seen) - left, max(point[1] for point in seen) - top
    close = happens(rng, 0.18)
    share = uniform(rng, 1.0, 1.45) if close else uniform(rng, 0.7, 0.94)
    focal = share * size / max(width, tall)
    slack = abs(1.0 - share) * 0.5 * size
    shift_x = around(rng, 0.0, max(0.0, 0.5 * (size - focal * width)) * 0.7 + 0.02 * size)
    shift_y = uniform(rng, 0.3, 1.0) * slack if close else around(rng, 0.0, 0.8 * slack)
    middle = (0.5 * size + shift_x, 0.5 * size + shift_y)
    centre = (middle[0] - focal * (left + 0.5 * width), middle[1] - focal * (top + 0.5 * tall))
    return Camera(position, rolled, focal, centre, size)
