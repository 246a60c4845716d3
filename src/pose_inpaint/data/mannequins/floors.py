"""Floors: grass, sand, roads, courts, boards, tiles and carpets."""

from collections.abc import Callable

import numpy as np

from pose_inpaint.data.mannequins.appearance import Colour, mixed, rgb
from pose_inpaint.data.mannequins.chance import happens, pick, uniform
from pose_inpaint.data.mannequins.geometry import cosine, sine
from pose_inpaint.data.mannequins.materials import cover
from pose_inpaint.data.mannequins.noise import Array, cell_value, fractal, value_noise
from pose_inpaint.data.mannequins.walls import Wall

Places = tuple[Array, Array, Array]
HAZE: Colour = (0.74, 0.80, 0.80)
WOODS = ("a8794a", "8a5c36", "c49a64", "6b4730", "b88f68", "d3b58a")
COURTS = ("3f7d58", "2f5f93", "b5573c", "4d7f9c", "7a6a8c", "8f4a45")


def paint_floor(
    rng: np.random.Generator, kinds: tuple[str, ...], places: Places, blur: Array, table: Array, wall: Wall
) -> Array:
    """Paint the floor.

    Args:
        rng: Random generator of the image.
        kinds: Floors to draw from.
        places: World x, world z and depth in metres, each of shape (pixels,).
        blur: Size of a pixel on the floor in metres, shape (pixels,); smaller details fade.
        table: Noise table.
        wall: Wall at the end of the floor.

    Returns:
        Colours of shape (3, pixels).
    """
    kind = pick(rng, kinds)
    angle = uniform(rng, -35.0, 35.0)
    x, z, reach = places
    u, v = x * cosine(angle) - z * sine(angle), x * sine(angle) + z * cosine(angle)
    painter: Callable[[np.random.Generator, Array, Array, Array, Array], Array] = {
        "grass": _grass, "earth": _earth, "sand": _sand, "paving": _paving, "road": _road, "court": _court,
        "boards": _boards, "sport": _sport, "carpet": _carpet, "tiles": _tiles,
    }.get(kind, _plain)  # fmt: skip
    if kind == "studio":
        return np.array(wall.colour)[:, None] * (0.97 + 0.05 * value_noise(table, u, v))
    colours = painter(rng, u, v, blur, table)
    if wall.style:
        return colours * (0.8 + 0.2 * np.clip((wall.distance - z) / 1.2, 0.0, 1.0))
    return cover(colours, HAZE, 0.55 * np.clip((reach - 8.0) / 90.0, 0.0, 1.0))


def _fade(blur: Array, detail: float) -> Array:
    """Return the contrast, at most 1, of a detail of this size in metres under pixels of size `blur`."""
    return np.clip(1.6 - blur / detail, 0.0, 1.0)


def _line(distance: Array, half: float, blur: Array) -> Array:
    """Return the share of each pixel covered by a line, from the distance to its centre and its half width."""
    inside = np.clip((half - np.abs(distance)) / np.maximum(blur, 1e-3) + 0.5, 0.0, 1.0)
    return inside * np.clip(2.5 * half / blur, 0.0, 1.0)


def _wave(x: Array) -> Array:
    return x - np.floor(x + 0.5)


def _flat(colour: Colour, like: Array) -> Array:
    return np.array(colour)[:, None] + np.zeros((3, len(like)))


def _plain(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    return _flat((0.6, 0.6, 0.6), u)


def _grass(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    green = rgb(pick(rng, ("4c7a2e", "5f8a3a", "6f8f45", "3f6a30")))
    second = rgb(pick(rng, ("8a9a4c", "a39a58", "35602a")))
    patches = fractal(table, u * 0.8, v * 0.8)
    blades = 0.6 * value_noise(table, u * 17.0, v * 12.0) + 0.4 * value_noise(table, v * 41.0, u * 37.0) - 0.5
    colours = cover(_flat(green, u), second, np.clip(1.6 * patches - 0.5, 0.0, 1.0))
    if happens(rng, 0.25):
        colours = colours * (1.0 + 0.10 * (_wave(v / 4.0) > 0.0) * _fade(blur, 2.0))
    return colours * (1.0 + 0.42 * blades * _fade(blur, 0.06))


def _earth(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    colours = cover(_flat((0.52, 0.41, 0.29), u), (0.67, 0.57, 0.43), fractal(table, u * 0.9, v * 0.9))
    return colours * (1.0 + 0.4 * (value_noise(table, u * 13.0, v * 13.0) - 0.5) * _fade(blur, 0.08))


def _sand(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    colours = cover(_flat((0.82, 0.73, 0.56), u), (0.90, 0.84, 0.70), fractal(table, u * 0.7, v * 1.4))
    return colours * (1.0 + 0.16 * (fractal(table, u * 4.0, v * 7.0) - 0.5) * _fade(blur, 0.15))


def _paving(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    side = uniform(rng, 0.4, 0.9)
    base = mixed((0.60, 0.59, 0.57), (0.70, 0.62, 0.54), uniform(rng, 0.0, 1.0))
    row = np.floor(v / side)
    shifted = u / side + 0.5 * (row - 2.0 * np.floor(0.5 * row))
    colours = _flat(base, u) * (0.90 + 0.2 * cell_value(table, shifted, v / side) * _fade(blur, side))
    gaps = np.maximum(_line(side * _wave(shifted), 0.012, blur), _line(side * _wave(v / side), 0.012, blur))
    return colours * (1.0 - 0.4 * gaps) * (1.0 + 0.2 * (value_noise(table, u * 9.0, v * 9.0) - 0.5) * _fade(blur, 0.1))


def _road(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    base = uniform(rng, 0.30, 0.48)
    colours = _flat((base, base, base * 1.03), u) * (0.9 + 0.2 * fractal(table, u * 1.3, v * 1.3))
    dashes = np.where(_wave(v / 3.0) > 0.0, 1.0, 0.0) if happens(rng, 0.6) else 1.0
    stripe = _line(u - uniform(rng, -1.4, 1.4), 0.06, blur) * dashes
    return cover(colours, (0.88, 0.87, 0.82), 0.85 * stripe) * (
        1.0 + 0.3 * (value_noise(table, u * 24.0, v * 24.0) - 0.5) * _fade(blur, 0.05)
    )


def _court(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    inner, outer = rgb(pick(rng, COURTS)), rgb(pick(rng, COURTS))
    a, b = uniform(rng, -2.0, 2.0), uniform(rng, -1.5, 2.5)
    colours = cover(_flat(inner, u), outer, np.where((u > a) | (v > b), 1.0, 0.0))
    lines = np.maximum(_line(u - a, 0.04, blur), _line(v - b, 0.04, blur))
    lines = np.maximum(lines, _line(u - a + 1.4, 0.04, blur) * (v < b))
    lines = np.maximum(lines, _line(v - b + 3.2, 0.04, blur) * (u < a))
    return cover(colours * (0.94 + 0.12 * fractal(table, u, v)), (0.94, 0.94, 0.92), 0.9 * lines)


def _boards(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    wide = uniform(rng, 0.09, 0.2)
    first, second = rgb(pick(rng, WOODS)), rgb(pick(rng, WOODS))
    row = np.floor(u / wide)
    tone = cell_value(table, u / wide, v / 1.4 + 0.37 * row)
    colours = cover(_flat(first, u), mixed(first, second, 0.5), tone * _fade(blur, wide))
    grain = value_noise(table, u * 40.0, v * 3.0) - 0.5
    gaps = _line(wide * _wave(u / wide), 0.004, blur)
    return colours * (1.0 - 0.5 * gaps) * (1.0 + 0.2 * grain * _fade(blur, 0.03))


def _sport(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    colours = _boards(rng, u, v, blur, table) * 1.08
    tint = rgb(pick(rng, COURTS))
    a = uniform(rng, -1.5, 1.5)
    radius = np.sqrt(u * u + v * v)
    colours = cover(colours, tint, 0.8 * _line(u - a, 0.04, blur))
    return cover(colours, (0.93, 0.92, 0.9), 0.85 * _line(radius - uniform(rng, 1.2, 2.4), 0.04, blur))


def _carpet(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    tone = rgb(pick(rng, ("8c8478", "6f7683", "9a6f62", "b7a98f", "5d6b60", "77606e")))
    colours = _flat(tone, u) * (0.95 + 0.1 * fractal(table, u * 2.0, v * 2.0))
    if happens(rng, 0.5):  # a rug with a border
        second = rgb(pick(rng, ("a33a32", "2f4f7a", "c9b07a", "3f6a55")))
        far = np.maximum(np.abs(u) / uniform(rng, 0.9, 1.5), np.abs(v) / uniform(rng, 0.7, 1.2))
        colours = cover(colours, second, np.clip((1.0 - far) * 30.0, 0.0, 1.0))
        colours = cover(colours, (0.90, 0.86, 0.76), 0.8 * np.clip((0.05 - np.abs(far - 0.85)) * 30.0, 0.0, 1.0))
    return colours * (1.0 + 0.22 * (value_noise(table, u * 30.0, v * 30.0) - 0.5) * _fade(blur, 0.04))


def _tiles(rng: np.random.Generator, u: Array, v: Array, blur: Array, table: Array) -> Array:
    side = uniform(rng, 0.3, 0.6)
    first = rgb(pick(rng, ("dcd6ca", "c9c3b4", "b9c0c4", "e6e3dc")))
    second = mixed(first, rgb(pick(rng, ("4a4d52", "9a6a4a", "5d7a86"))), 0.7 if happens(rng, 0.5) else 0.12)
    parity = np.floor(u / side) + np.floor(v / side)
    odd = parity - 2.0 * np.floor(0.5 * parity)
    colours = cover(_flat(first, u), second, odd * _fade(blur, side) + 0.5 * (1.0 - _fade(blur, side)))
    gaps = np.maximum(_line(side * _wave(u / side), 0.006, blur), _line(side * _wave(v / side), 0.006, blur))
    return colours * (1.0 - 0.3 * gaps) * (0.96 + 0.08 * fractal(table, u * 1.5, v * 1.5))
