"""Materials: what colours a surface has at each place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.appearance import Cloth, Colour
from pose_inpaint.data.mannequins.noise import Array, cell_value, value_noise

Local = tuple[Array, Array, Array]
Paint = Callable[[Local, Array], Array]


@dataclass(frozen=True)
class Material:
    """A surface's colours and how it takes light.

    Attributes:
        paint: from local coordinates (three arrays of shape (samples,), metres) and a noise table to colours of
            shape (3, samples) in 0..1.
        gloss: strength of the highlight, 0 to 1.
        relief: how much noise changes the brightness, for folds, leaves and hair.
        grain: size of that noise in metres.
    """

    paint: Paint
    gloss: float = 0.0
    relief: float = 0.0
    grain: float = 0.06


def solid_colour(colour: Colour) -> Paint:
    """One colour everywhere."""

    def paint(local: Local, table: Array) -> Array:
        return np.array(colour)[:, None] + np.zeros((3, len(local[0])))

    return paint


def cover(base: Array, colour: Colour, share: Array) -> Array:
    """Colours of shape (3, samples) with another colour laid over them, share 0 to 1 of shape (samples,)."""
    return base + share * (np.array(colour)[:, None] - base)


def overlay(base: Array, other: Array, share: Array) -> Array:
    """Two sets of colours mixed; see `cover`."""
    return base + share * (other - base)


def edge(distance: Array, width: float) -> Array:
    """1 where distance is well above zero, 0 well below, with a ramp of that width."""
    return np.clip(distance / width + 0.5, 0.0, 1.0)


def woven(cloth: Cloth) -> Paint:
    """A cloth with its pattern; x runs across the body, y up and z forward."""

    def paint(local: Local, table: Array) -> Array:
        base = solid_colour(cloth.colour)(local, table)
        return cover(base, cloth.second, pattern_share(cloth, local, table))

    return paint


def pattern_share(cloth: Cloth, local: Local, table: Array) -> Array:
    """How much of the second colour shows at each place, 0 to 1, shape (samples,)."""
    x, y, z = local
    p = cloth.period
    if cloth.pattern == "stripes":
        return edge(np.abs(_saw(y / p)) - 0.25, 0.12)
    if cloth.pattern == "pinstripes":
        return edge(np.abs(_saw((x + 0.4 * z) / (0.7 * p))) - 0.36, 0.14)
    if cloth.pattern == "checks":
        rows, columns = edge(np.abs(_saw(y / p)) - 0.25, 0.12), edge(np.abs(_saw((x + 0.4 * z) / p)) - 0.25, 0.12)
        return 0.5 * (rows + columns)
    if cloth.pattern == "dots":
        row = np.floor(y / (0.7 * p))
        a, b = _saw(x / (0.8 * p) + 0.5 * (row - 2.0 * np.floor(row * 0.5))), _saw(y / (0.7 * p) + 0.5)
        return edge(0.085 - a * a - b * b, 0.06)
    if cloth.pattern == "band":
        return edge(0.5 * p - np.abs(y - 0.20), 0.012)
    if cloth.pattern == "print":
        a, b = x / (0.7 * p), (y - 0.27) / (0.6 * p)
        badge = edge(1.0 - a * a - b * b, 0.3)
        letters = edge(cell_value(table, a * 3.1 + 11.0, b * 2.3 + 7.0) - 0.42, 0.1)
        return np.where(z > 0.0, badge * letters, 0.0)
    if cloth.pattern == "flowers":
        return edge(value_noise(table, (x + z) * 2.2 / p + 31.0, y * 2.2 / p + 9.0) - 0.62, 0.1)
    return np.zeros_like(x)


def _saw(x: Array) -> Array:
    """Distance to the nearest whole number, with its sign, -0.5 to 0.5."""
    return x - np.floor(x + 0.5)


def mottled(colour: Colour, second: Colour, grain: float, depth: float = 0.6) -> Paint:
    """Two colours and light and dark mixed by noise, for leaves and rough things.

    Args:
        colour: one colour.
        second: the other one.
        grain: size of the spots in metres.
        depth: how far the brightness goes up and down, as a share.

    Returns:
        The paint.
    """

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / grain for part in local)  # two planes of noise, so that no side of a ball is streaked
        share = 0.5 * (value_noise(table, x + 40.0, y + 40.0) + value_noise(table, z + 20.0, y + 0.5 * x + 50.0))
        fine = 0.5 * (value_noise(table, 2.1 * x, 2.1 * z) + value_noise(table, 2.1 * y + 9.0, 2.1 * (z - x)))
        base = cover(solid_colour(colour)(local, table), second, edge(share - 0.5, 0.4))
        return base * (1.0 + depth * (share + fine - 1.0))

    return paint


def planks(colour: Colour, second: Colour, width: float) -> Paint:
    """Boards along x, with dark gaps."""

    def paint(local: Local, table: Array) -> Array:
        x, y, z = local
        across = (y + z) / width
        tone = cell_value(table, 0.0 * across, across + 40.0)
        base = cover(solid_colour(colour)(local, table), second, 0.6 * tone)
        grain = value_noise(table, x * 3.0 + 30.0, across * 6.0 + 30.0)
        return base * (0.9 + 0.15 * grain) * (1.0 - 0.35 * edge(np.abs(_saw(across)) - 0.45, 0.05))

    return paint


def ball_panels(colour: Colour, second: Colour, radius: float) -> Paint:
    """A ball: seams along three great circles, or patches when the second colour is dark."""

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / radius for part in local)
        base = solid_colour(colour)(local, table)
        seams = np.minimum(np.minimum(np.abs(x), np.abs(y)), np.abs(x * x + z * z - 0.45))
        return cover(base, second, edge(0.09 - seams, 0.06))

    return paint
