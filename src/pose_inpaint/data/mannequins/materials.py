"""Materials: colours and highlights of surfaces."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pose_inpaint.data.mannequins.appearance import Cloth, Colour
from pose_inpaint.data.mannequins.noise import Array, cell_value, value_noise

Local = tuple[Array, Array, Array]
Paint = Callable[[Local, Array], Array]


@dataclass(frozen=True)
class Material:
    """Colours of a surface and its response to light.

    Attributes:
        paint: Function from local coordinates (three arrays of shape (samples,), in metres) and a noise table to
            colours of shape (3, samples) in [0, 1].
        gloss: Strength of the highlight, in [0, 1].
        relief: Strength of the brightness noise that suggests folds and hair.
        grain: Size of this noise in metres.
    """

    paint: Paint
    gloss: float = 0.0
    relief: float = 0.0
    grain: float = 0.06


def solid_colour(colour: Colour) -> Paint:
    """Return the paint of a single colour."""

    def paint(local: Local, table: Array) -> Array:
        return np.array(colour)[:, None] + np.zeros((3, len(local[0])))

    return paint


def cover(base: Array, colour: Colour, share: Array) -> Array:
    """Blend colours of shape (3, samples) with one colour, by share in [0, 1] of shape (samples,)."""
    return base + share * (np.array(colour)[:, None] - base)


def overlay(base: Array, other: Array, share: Array) -> Array:
    """Blend two sets of colours; see `cover`."""
    return base + share * (other - base)


def edge(distance: Array, width: float) -> Array:
    """Return 0 for negative and 1 for positive distances, with a linear ramp of this width between them."""
    return np.clip(distance / width + 0.5, 0.0, 1.0)


def woven(cloth: Cloth) -> Paint:
    """Return the paint of a patterned cloth; x runs across the body, y up and z forward."""

    def paint(local: Local, table: Array) -> Array:
        base = solid_colour(cloth.colour)(local, table)
        return cover(base, cloth.second, pattern_share(cloth, local, table))

    return paint


def pattern_share(cloth: Cloth, local: Local, table: Array) -> Array:
    """Return the share of the second colour, in [0, 1], shape (samples,)."""
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
    """Return the signed distance to the nearest integer, in [-0.5, 0.5)."""
    return x - np.floor(x + 0.5)


def mottled(colour: Colour, second: Colour, grain: float, depth: float = 0.6) -> Paint:
    """Return a paint with noise in colour and brightness, for leaves and rough surfaces.

    Args:
        colour: First colour.
        second: Second colour.
        grain: Size of the spots in metres.
        depth: Relative amplitude of the brightness.
    """

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / grain for part in local)  # noise in two planes avoids streaks on any side of a ball
        share = 0.5 * (value_noise(table, x + 40.0, y + 40.0) + value_noise(table, z + 20.0, y + 0.5 * x + 50.0))
        fine = 0.5 * (value_noise(table, 2.1 * x, 2.1 * z) + value_noise(table, 2.1 * y + 9.0, 2.1 * (z - x)))
        base = cover(solid_colour(colour)(local, table), second, edge(share - 0.5, 0.4))
        return base * (1.0 + depth * (share + fine - 1.0))

    return paint


def planks(colour: Colour, second: Colour, width: float) -> Paint:
    """Return the paint of boards along x with dark gaps."""

    def paint(local: Local, table: Array) -> Array:
        x, y, z = local
        across = (y + z) / width
        tone = cell_value(table, 0.0 * across, across + 40.0)
        base = cover(solid_colour(colour)(local, table), second, 0.6 * tone)
        grain = value_noise(table, x * 3.0 + 30.0, across * 6.0 + 30.0)
        return base * (0.9 + 0.15 * grain) * (1.0 - 0.35 * edge(np.abs(_saw(across)) - 0.45, 0.05))

    return paint


def ball_panels(colour: Colour, second: Colour, radius: float) -> Paint:
    """Return the paint of a ball with seams."""

    def paint(local: Local, table: Array) -> Array:
        x, y, z = (part / radius for part in local)
        base = solid_colour(colour)(local, table)
        seams = np.minimum(np.minimum(np.abs(x), np.abs(y)), np.abs(x * x + z * z - 0.45))
        return cover(base, second, edge(0.09 - seams, 0.06))

    return paint
