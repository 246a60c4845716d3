"""Solids (ellipsoids, boxes and cones with round ends) and the depth buffer.

Each solid has a closed-form depth over its bounding box; ellipsoids and cones assume that rays near them are parallel.
The buffer keeps the depth and the front solid of each sample; `surface` computes positions and normals at the end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.geometry import Matrix, Vector, add, apply, compose, cross, dot, unit

Array = NDArray[np.float64]
FAR = 1e9


@dataclass(frozen=True)
class Solid:
    """Part of a body or prop.

    Attributes:
        kind: Kind of solid: "ellipsoid", "cone" or "box".
        centre: Centre of an ellipsoid or box, or start of a cone, in metres.
        frame: Local axes in the world, as columns.
        radii: Half axes in metres; (start radius, end radius, unused) for a cone.
        material: Index into the scene's materials.
        span: Length of a cone along its local -y, in metres.
        origin: Offset of local coordinates in metres, so that patterns continue across solids.
        bulge: Weight of the curvature along y in shading, in [0, 1]; below 1 smooths parts made of many ellipsoids.
    """

    kind: str
    centre: Vector
    frame: Matrix
    radii: Vector
    material: int
    span: float = 0.0
    origin: Vector = (0.0, 0.0, 0.0)
    bulge: float = 1.0


@dataclass(frozen=True)
class Buffer:
    """Depth buffer: depth in metres (FAR if empty) and index of the front solid (-1 if empty), both (size, size)."""

    depth: Array
    owner: NDArray[np.int32]


def ellipsoid(
    centre: Vector,
    frame: Matrix,
    radii: Vector,
    material: int,
    origin: Vector = (0.0, 0.0, 0.0),
    bulge: float = 1.0,
) -> Solid:
    """Build an ellipsoid; see `Solid`."""
    return Solid("ellipsoid", centre, frame, radii, material, 0.0, origin, bulge)


def box(centre: Vector, frame: Matrix, radii: Vector, material: int) -> Solid:
    """Build a box with these half sides; see `Solid`."""
    return Solid("box", centre, frame, radii, material)


def cone(start: Vector, end: Vector, radii: tuple[float, float], material: int, lift: float = 0.0) -> Solid:
    """Build a cone with round ends; the orientation of its frame about the axis is arbitrary.

    Args:
        start: Centre of the first ball in metres.
        end: Centre of the second ball in metres.
        radii: Radii of the two balls in metres.
        material: Index of the material.
        lift: Offset of patterns along the axis in metres.
    """
    along = add(start, end, -1.0)
    size = math.sqrt(dot(along, along)) or 1e-6
    axis = (along[0] / size, along[1] / size, along[2] / size) if size > 1e-6 else (0.0, 1.0, 0.0)
    side = unit(cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0)))
    third = cross(side, axis)
    frame = ((side[0], axis[0], third[0]), (side[1], axis[1], third[1]), (side[2], axis[2], third[2]))
    return Solid("cone", start, frame, (radii[0], radii[1], 0.0), material, size, (0.0, lift, 0.0))


def end_of(solid: Solid) -> Vector:
    """Return the centre of a cone's second ball."""
    return add(solid.centre, apply(solid.frame, (0.0, -solid.span, 0.0)))


def rasterise(solids: Sequence[Solid], camera: Camera) -> Buffer:
    """Draw the solids into an empty buffer.

    Args:
        solids: Solids in any order.
        camera: Camera with one pixel per sample of the buffer.
    """
    shape = (camera.size, camera.size)
    buffer = Buffer(np.full(shape, FAR), np.full(shape, -1, dtype=np.int32))
    for number, solid in enumerate(solids):
        if camera.view(solid.centre)[2] < 0.3:
            continue
        if solid.kind == "cone":
            _draw_cone(buffer, solid, number, camera)
        else:
            _draw_round(buffer, solid, number, camera)
    return buffer


def _window(
    size: int, left: float, right: float, top: float, bottom: float
) -> tuple[slice, slice, Array, Array] | None:
    """Return rows and columns of a bounding box in the buffer and its sample centres; None if it lies outside."""
    x0, x1 = max(0, math.floor(left)), min(size, math.ceil(right) + 1)
    y0, y1 = max(0, math.floor(top)), min(size, math.ceil(bottom) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    xs = np.arange(x0, x1, dtype=np.float64)[None, :] + 0.5
    ys = np.arange(y0, y1, dtype=np.float64)[:, None] + 0.5
    return slice(y0, y1), slice(x0, x1), xs, ys


def _keep_nearer(
    buffer: Buffer, rows: slice, columns: slice, hit: NDArray[np.bool_], depth: Array, number: int
) -> None:
    wins = hit & (depth < buffer.depth[rows, columns])
    np.copyto(buffer.depth[rows, columns], depth, where=wins)
    np.copyto(buffer.owner[rows, columns], np.int32(number), where=wins)


def _draw_cone(buffer: Buffer, solid: Solid, number: int, camera: Camera) -> None:
    (x0, y0, z0), (x1, y1, z1) = camera.project(solid.centre), camera.project(end_of(solid))
    r0, r1 = solid.radii[0] * camera.focal / z0, solid.radii[1] * camera.focal / z1
    dx, dy, dr, dz = x1 - x0, y1 - y0, r1 - r0, z1 - z0
    if dx * dx + dy * dy < 0.4 * (solid.span * camera.focal / z0) * (solid.span * camera.focal / z0):
        _draw_ball(buffer, (x0, y0, z0), r0, number, camera.focal)  # the ends show when a cone points at the camera
        _draw_ball(buffer, (x1, y1, z1), r1, number, camera.focal)
    window = _window(
        len(buffer.depth), min(x0 - r0, x1 - r1), max(x0 + r0, x1 + r1), min(y0 - r0, y1 - r1), max(y0 + r0, y1 + r1)
    )
    if window is None:
        return
    rows, columns, xs, ys = window
    px, py = xs - x0, ys - y0
    share = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-6), 0.0, 1.0)
    ox, oy, radius = px - share * dx, py - share * dy, r0 + share * dr
    inside = radius * radius - (ox * ox + oy * oy)
    middle = z0 + share * dz
    depth = middle - np.sqrt(np.maximum(inside, 0.0)) * middle / camera.focal
    _keep_nearer(buffer, rows, columns, inside > 0.0, depth, number)


def _draw_ball(buffer: Buffer, place: Vector, radius: float, number: int, focal: float) -> None:
    x, y, z = place
    window = _window(len(buffer.depth), x - radius, x + radius, y - radius, y + radius)
    if window is None:
        return
    rows, columns, xs, ys = window
    px, py = xs - x, ys - y
    inside = radius * radius - (px * px + py * py)
    depth = z - np.sqrt(np.maximum(inside, 0.0)) * z / focal
    _keep_nearer(buffer, rows, columns, inside > 0.0, depth, number)


def _draw_round(buffer: Buffer, solid: Solid, number: int, camera: Camera) -> None:
    """Draw an ellipsoid or box."""
    x, y, z = camera.project(solid.centre)
    axes = compose(camera.rotation, solid.frame)
    scale = camera.focal / z
    if solid.kind == "box":
        reach_x, reach_y = (1.3 * scale * sum(abs(axes[k][j]) * solid.radii[j] for j in range(3)) for k in range(2))
    else:
        reach_x, reach_y = (
            scale * math.sqrt(sum((axes[k][j] * solid.radii[j]) * (axes[k][j] * solid.radii[j]) for j in range(3)))
            for k in range(2)
        )
    window = _window(len(buffer.depth), x - reach_x, x + reach_x, y - reach_y, y + reach_y)
    if window is None:
        return
    rows, columns, xs, ys = window
    if solid.kind == "box":
        u, v = (xs - camera.centre[0]) / camera.focal, (ys - camera.centre[1]) / camera.focal
        hit, depth = _enter_box(u, v, camera.view(solid.centre), axes, solid.radii)
    else:
        hit, ahead = _enter_ellipsoid((xs - x) / scale, (ys - y) / scale, axes, solid.radii)
        depth = z + ahead
    _keep_nearer(buffer, rows, columns, hit, depth, number)


def _enter_ellipsoid(px: Array, py: Array, axes: Matrix, radii: Vector) -> tuple[NDArray[np.bool_], Array]:
    """Intersect parallel rays with an ellipsoid; return hits and depths relative to its centre in metres.

    With local coordinates divided by the radii, the point (px, py, s) is on the unit sphere, which gives a quadratic
    a s s + 2 b s + c = 0 in the depth s; its smaller root is where the ray enters.
    """
    right, down, ahead = ((row[0] / radii[0], row[1] / radii[1], row[2] / radii[2]) for row in axes)
    a = dot(ahead, ahead)
    b = dot(right, ahead) * px + dot(down, ahead) * py
    c = dot(right, right) * px * px + (2.0 * dot(right, down) * px + dot(down, down) * py) * py - 1.0
    inside = b * b - a * c
    return inside > 0.0, (-b - np.sqrt(np.maximum(inside, 0.0))) / a


def _enter_box(u: Array, v: Array, centre: Vector, axes: Matrix, radii: Vector) -> tuple[NDArray[np.bool_], Array]:
    """Intersect rays (u, v, 1) with a box: the latest entry into its three slabs, if before the earliest exit."""
    entry, leave = np.zeros((v.shape[0], u.shape[1])), np.full((v.shape[0], u.shape[1]), FAR)
    for j in range(3):
        axis = (axes[0][j], axes[1][j], axes[2][j])
        slope = u * axis[0] + v * axis[1] + axis[2]
        slope = np.where(np.abs(slope) < 1e-9, 1e-9, slope)  # rays parallel to a slab
        middle = dot(axis, centre)
        one, other = (middle - radii[j]) / slope, (middle + radii[j]) / slope
        entry = np.maximum(entry, np.minimum(one, other))
        leave = np.minimum(leave, np.maximum(one, other))
    return (entry < leave) & (entry > 0.1), entry
