"""Walls behind the person: bricks, rooms and halls with windows, doors and pictures, and studio paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.appearance import Colour, mixed, rgb
from pose_inpaint.data.mannequins.camera import Camera
from pose_inpaint.data.mannequins.chance import around, happens, pick, uniform
from pose_inpaint.data.mannequins.geometry import cosine, sine
from pose_inpaint.data.mannequins.materials import cover
from pose_inpaint.data.mannequins.noise import Array, cell_value, fractal, value_noise

PAINTS = ("e4dccb", "cfd8d6", "d9c7b0", "b8c4b0", "c7cbd6", "e3cfc4", "8fa3ad", "a9b58c", "c98f6a", "efece4", "7d6f86")
STUDIOS = ("d8d8d6", "9aa0a6", "5a5f66", "c9b8a2", "a9bcc9", "e8e6e1", "7f8d78", "b98f86")


@dataclass(frozen=True)
class Wall:
    """Upright wall with an optional second wall at a right angle.

    Attributes:
        style: Style of the wall: "brick", "room", "hall" or "studio"; empty for no wall.
        distance: World z of the wall at x = 0 in metres.
        angle: Rotation about the vertical in degrees.
        corner: Position along the wall where the second wall starts in metres; 1e9 for none.
        colour: Colour of the paint.
    """

    style: str
    distance: float
    angle: float
    corner: float
    colour: Colour

    @staticmethod
    def none() -> Wall:
        """Return a wall that no ray meets."""
        return Wall("", 1e9, 0.0, 1e9, (0.0, 0.0, 0.0))


def draw_wall(rng: np.random.Generator, style: str, camera: Camera) -> Wall:
    """Draw a wall behind the person.

    Args:
        rng: Random generator of the image.
        style: Style of the wall; see `Wall`.
        camera: Camera of the image, which limits the range of the corner.
    """
    near, far = {"brick": (0.9, 3.0), "room": (0.8, 2.4), "hall": (4.0, 9.0), "studio": (1.6, 3.0)}[style]
    distance = uniform(rng, near, far)
    reach = camera.half_view * (distance - camera.position[2])
    corner = around(rng, 0.0, 1.2) * reach if style in ("room", "hall") and happens(rng, 0.55) else 1e9
    colour = rgb(pick(rng, STUDIOS if style == "studio" else PAINTS))
    return Wall(style, distance, 0.0 if style == "studio" else around(rng, 0.0, 30.0), corner, colour)


def meet_wall(wall: Wall, camera: Camera, dx: Array, dy: Array, dz: Array) -> tuple[Array, Array, Array]:
    """Intersect rays with the wall.

    Args:
        wall: Wall to meet.
        camera: Camera at the origin of the rays.
        dx: World x of the directions, shape (pixels,).
        dy: World y of the directions, shape (pixels,).
        dz: World z of the directions, shape (pixels,).

    Returns:
        Multiple of the ray, position along the wall and height in metres, each of shape (pixels,). The multiple is 1e9
        for rays that miss; positions on the second wall start at 50.
    """
    if not wall.style:
        nothing = np.full(len(dx), 1e9)
        return nothing, nothing, nothing
    s, c = sine(wall.angle), cosine(wall.angle)
    px, pz = camera.position[0], camera.position[2] - wall.distance
    u0, w0 = c * px + s * pz, -s * px + c * pz  # along the wall, and towards it
    du, dw = c * dx + s * dz, -s * dx + c * dz
    far = np.where(dw > 1e-3, -w0 / np.maximum(dw, 1e-3), 1e9)
    along = u0 + du * far
    if wall.corner < 1e8:
        side = np.where(du > 1e-3, (wall.corner - u0) / np.maximum(du, 1e-3), 1e9)
        side = np.where(side > 0.0, side, 1e9)
        turned = side < far
        along = np.where(turned, 50.0 - (w0 + dw * side), along)
        far = np.where(turned, side, far)
    return far, along, camera.position[1] + dy * far


def paint_wall(rng: np.random.Generator, wall: Wall, along: Array, high: Array, blur: Array, table: Array) -> Array:
    """Paint the wall.

    Args:
        rng: Random generator of the image.
        wall: Wall to paint.
        along: Position along the wall in metres, shape (pixels,).
        high: Height above the floor in metres, shape (pixels,).
        blur: Size of a pixel on the wall in metres, shape (pixels,).
        table: Noise table.

    Returns:
        Colours of shape (3, pixels).
    """
    base = np.array(wall.colour)[:, None] + np.zeros((3, len(along)))
    if wall.style == "studio":
        bend = np.clip(high / 1.2, 0.0, 1.0)
        return base * (0.97 - 0.25 * bend * bend * (3.0 - 2.0 * bend) + 0.05 * fractal(table, along, high))
    second = along > 40.0
    if wall.style == "brick":
        return _bricks(rng, along, high, blur, table)
    base = base * np.where(second, 0.82, 1.0) * (0.95 + 0.1 * fractal(table, along * 0.9, high * 0.9))
    base = _dado(rng, base, along, high, blur)
    base = _hangings(rng, base, wall, along, high, blur, table)
    skirting = _slab(high, 0.0, uniform(rng, 0.07, 0.14), blur)
    base = cover(base, pick(rng, ((0.93, 0.92, 0.89), (0.45, 0.32, 0.22))), 0.9 * skirting)
    if wall.corner < 1e8:
        base = base * (1.0 - 0.25 * np.clip(1.0 - np.abs(along - wall.corner) / 0.25, 0.0, 1.0))
    return base


def _slab(x: Array, low: float, high: float, blur: Array) -> Array:
    """Return the share of each pixel between two positions, with edges one pixel wide."""
    wide = np.maximum(blur, 1e-3)
    return np.clip((x - low) / wide + 0.5, 0.0, 1.0) * np.clip((high - x) / wide + 0.5, 0.0, 1.0)


def _bricks(rng: np.random.Generator, along: Array, high: Array, blur: Array, table: Array) -> Array:
    colour = rgb(pick(rng, ("9c5a45", "8a4b3c", "b5806a", "a89a8c", "c9c2b5", "75655c")))
    tall = uniform(rng, 0.075, 0.16)
    wide = 2.8 * tall
    row = np.floor(high / tall)
    u = along / wide + 0.5 * (row - 2.0 * np.floor(0.5 * row))
    tone = 0.78 + 0.4 * cell_value(table, u, high / tall + 64.0)
    base = np.array(colour)[:, None] * tone * (0.9 + 0.2 * value_noise(table, along * 20.0, high * 20.0))
    v = high / tall
    joints = np.maximum(
        np.clip((0.006 - np.abs(v - np.floor(v + 0.5)) * tall) / np.maximum(blur, 1e-3) + 0.5, 0.0, 1.0),
        np.clip((0.006 - np.abs(u - np.floor(u + 0.5)) * wide) / np.maximum(blur, 1e-3) + 0.5, 0.0, 1.0),
    )
    return cover(base, mixed(colour, (0.80, 0.78, 0.74), 0.7), 0.8 * joints) * (0.75 + 0.25 * np.clip(high, 0.0, 1.0))


def _dado(rng: np.random.Generator, base: Array, along: Array, high: Array, blur: Array) -> Array:
    """Paint a lower band in another colour, striped wallpaper, or nothing."""
    kind = float(rng.random())
    tone = rgb(pick(rng, PAINTS))
    if kind < 0.3:
        top = uniform(rng, 0.7, 1.1)
        base = cover(base, mixed(tone, (0.5, 0.45, 0.4), 0.3), _slab(high, -1.0, top, blur))
        return cover(base, (0.94, 0.93, 0.90), _slab(high, top, top + 0.05, blur))
    if kind < 0.55:
        period = uniform(rng, 0.12, 0.4)
        u = along / period
        share = np.clip((0.25 - np.abs(u - np.floor(u) - 0.5)) * period / np.maximum(blur, 1e-3) + 0.5, 0.0, 1.0)
        return cover(base, tone, 0.45 * share)
    return base


def _hangings(
    rng: np.random.Generator, base: Array, wall: Wall, along: Array, high: Array, blur: Array, table: Array
) -> Array:
    """Paint windows, pictures, doors and shelves along both walls."""
    for start in (-4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 47.0, 48.6, 50.2, 51.8):
        kind, left = float(rng.random()), start + uniform(rng, 0.0, 0.5)
        wide, low = uniform(rng, 0.6, 1.1), uniform(rng, 0.8, 1.2)
        tall = uniform(rng, 0.6, 1.2)
        tone = rgb(pick(rng, PAINTS))
        frame = pick(rng, ((0.94, 0.93, 0.90), (0.40, 0.28, 0.18), (0.16, 0.15, 0.15)))
        if kind < 0.26:
            base = _window(base, (left, left + wide, low, low + tall), frame, along, high, blur, table)
        elif kind < 0.5:
            area = _slab(along, left, left + 0.8 * wide, blur) * _slab(high, low + 0.2, low + 0.2 + 0.6 * tall, blur)
            art = np.array(tone)[:, None] * (0.45 + 0.9 * fractal(table, along * 6.0, high * 6.0))
            base = cover(base, frame, area)
            inner = _slab(along, left + 0.05, left + 0.8 * wide - 0.05, blur)
            inner = inner * _slab(high, low + 0.25, low + 0.15 + 0.6 * tall, blur)
            base = base + inner * (art - base)
        elif kind < 0.62:
            door = _slab(along, left, left + 0.85, blur) * _slab(high, 0.0, 2.02, blur)
            base = cover(base, mixed(frame, tone, 0.4), door)
            panel = _slab(along, left + 0.15, left + 0.7, blur) * np.maximum(
                _slab(high, 0.25, 0.9, blur), _slab(high, 1.1, 1.85, blur)
            )
            base = base * (1.0 - 0.16 * panel)
        elif kind < 0.76:
            base = _shelves(base, (left, left + wide), tone, along, high, blur, table)
    return base


def _window(
    base: Array,
    area: tuple[float, float, float, float],
    frame: Colour,
    along: Array,
    high: Array,
    blur: Array,
    table: Array,
) -> Array:
    left, right, low, top = area
    base = cover(base, frame, _slab(along, left, right, blur) * _slab(high, low, top, blur))
    glass = _slab(along, left + 0.06, right - 0.06, blur) * _slab(high, low + 0.06, top - 0.06, blur)
    bar = _slab(along, 0.5 * (left + right) - 0.02, 0.5 * (left + right) + 0.02, blur)
    bright = np.clip((high - low) / (top - low), 0.0, 1.0)
    outside = np.array((0.50, 0.62, 0.48))[:, None] + bright * np.array((0.34, 0.28, 0.46))[:, None]
    outside = outside * (0.85 + 0.25 * fractal(table, along * 5.0, high * 5.0))
    shown: Array = base + glass * (1.0 - bar) * (outside - base)
    return shown


def _shelves(
    base: Array, area: tuple[float, float], tone: Colour, along: Array, high: Array, blur: Array, table: Array
) -> Array:
    left, right = area
    inside = _slab(along, left, right, blur) * _slab(high, 0.0, 1.9, blur)
    v, u = high / 0.32, (along - left) / 0.045
    book = cell_value(table, u, np.floor(v) + 20.0)
    spine = np.stack([0.25 + 0.6 * cell_value(table, u + 9.0 * k, np.floor(v) + 3.0) for k in range(3)])
    spine = spine * (0.7 + 0.3 * np.array(tone)[:, None])
    shown = (v - np.floor(v) < 0.55 + 0.35 * book) & (v - np.floor(v) > 0.08)
    wood = np.array((0.36, 0.25, 0.17))[:, None] * np.where(v - np.floor(v) > 0.08, 0.6, 1.2)
    filled: Array = np.where(shown, spine, wood + 0.0 * spine)
    return base + inside * (filled - base)
