"""Value noise: smooth seeded randomness over a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIDE = 64  # of the table of random values, which repeats beyond


def noise_table(rng: np.random.Generator) -> Array:
    """Random values at lattice points, shape (SIDE * SIDE,), in [0, 1)."""
    table: Array = rng.random(SIDE * SIDE)
    return table


def value_noise(table: Array, x: Array, y: Array) -> Array:
    """Noise with features one unit wide.

    Args:
        table: from `noise_table`.
        x: coordinates of any size, broadcastable with y.
        y: coordinates.

    Returns:
        Values in [0, 1), the lattice values joined by the smooth step 3 t^2 - 2 t^3.
    """
    column, row = np.floor(x), np.floor(y)
    fx, fy = x - column, y - row
    fx, fy = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy)
    i, j = column.astype(np.int64) & (SIDE - 1), row.astype(np.int64) & (SIDE - 1)
    i1, j0, j1 = (i + 1) & (SIDE - 1), j * SIDE, ((j + 1) & (SIDE - 1)) * SIDE
    top, bottom = table.take(j0 + i), table.take(j1 + i)
    top = top + fx * (table.take(j0 + i1) - top)
    bottom = bottom + fx * (table.take(j1 + i1) - bottom)
    mixed: Array = top + fy * (bottom - top)
    return mixed


def cell_value(table: Array, x: Array, y: Array) -> Array:
    """One random value for each unit square; see `value_noise`."""
    i, j = np.floor(x).astype(np.int64) & (SIDE - 1), np.floor(y).astype(np.int64) & (SIDE - 1)
    value: Array = table[j * SIDE + i]
    return value


def fractal(table: Array, x: Array, y: Array) -> Array:
    """Two octaves of `value_noise`, in [0, 1)."""
    return 0.65 * value_noise(table, x, y) + 0.35 * value_noise(table, 2.3 * x + 17.0, 2.3 * y + 5.0)
