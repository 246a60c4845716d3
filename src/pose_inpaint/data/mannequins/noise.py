"""Value noise: smooth, seeded randomness on a plane."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIDE = 64  # period of the noise; a power of two, since indices wrap by a bit mask


def noise_table(rng: np.random.Generator) -> Array:
    """Draw random values at lattice points, shape (SIDE * SIDE,), in [0, 1)."""
    table: Array = rng.random(SIDE * SIDE)
    return table


def value_noise(table: Array, x: Array, y: Array) -> Array:
    """Evaluate noise with features one unit wide.

    Args:
        table: Table from `noise_table`.
        x: Coordinates of any range, broadcastable with y.
        y: Coordinates of any range, broadcastable with x.

    Returns:
        Lattice values interpolated by the smooth step 3 t^2 - 2 t^3, in [0, 1).
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
    """Return one random value per unit square; see `value_noise`."""
    i, j = np.floor(x).astype(np.int64) & (SIDE - 1), np.floor(y).astype(np.int64) & (SIDE - 1)
    value: Array = table[j * SIDE + i]
    return value


def fractal(table: Array, x: Array, y: Array) -> Array:
    """Sum two octaves of `value_noise`, in [0, 1)."""
    return 0.65 * value_noise(table, x, y) + 0.35 * value_noise(table, 2.3 * x + 17.0, 2.3 * y + 5.0)
