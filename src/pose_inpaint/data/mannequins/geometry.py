"""Trigonometry, vectors and rotations with the same bits on every machine.

The last digit of ``math.sin`` depends on the C library. This module uses only +, -, *, / and square roots of Python
floats, which IEEE 754 defines to the last bit.
"""

import math
from collections.abc import Callable

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# Taylor series, highest power first; the first omitted term, x**21 / 21!, is at most 3e-16 for |x| <= pi/2.
_SINE_SERIES = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(9, 0, -1))


def sine(degrees: float) -> float:
    """Sine, within 1e-14 of the true value and with the same bits on every machine.

    Args:
        degrees: Finite angle in degrees.
    """
    # Fold the angle into [-90, 90] degrees, where the series is accurate.
    turns = degrees / 360.0
    turns -= math.floor(turns + 0.5)
    if turns > 0.25:
        turns = 0.5 - turns
    elif turns < -0.25:
        turns = -0.5 - turns
    x = turns * (2.0 * math.pi)
    square, series = x * x, 0.0
    for coefficient in _SINE_SERIES:
        series = (series + coefficient) * square
    return x + x * series


def cosine(degrees: float) -> float:
    """Cosine of an angle in degrees; see `sine`."""
    return sine(degrees + 90.0)


def about_x(degrees: float) -> Matrix:
    """Rotation about the x axis that turns y towards z."""
    s, c = sine(degrees), cosine(degrees)
    return ((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c))


def about_y(degrees: float) -> Matrix:
    """Rotation about the y axis that turns z towards x."""
    s, c = sine(degrees), cosine(degrees)
    return ((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c))


def about_z(degrees: float) -> Matrix:
    """Rotation about the z axis that turns x towards y."""
    s, c = sine(degrees), cosine(degrees)
    return ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))


def apply(matrix: Matrix, vector: Vector) -> Vector:
    """Matrix times vector."""
    x, y, z = vector
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return (a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z)


def compose(first: Matrix, *others: Matrix) -> Matrix:
    """Product of matrices, from left to right."""
    product = first
    for other in others:
        columns = transpose(other)
        product = (apply(columns, product[0]), apply(columns, product[1]), apply(columns, product[2]))
    return product


def transpose(matrix: Matrix) -> Matrix:
    """Transposed matrix, the inverse of a rotation."""
    a, b, c = matrix
    return ((a[0], b[0], c[0]), (a[1], b[1], c[1]), (a[2], b[2], c[2]))


def add(a: Vector, b: Vector, scale: float = 1.0) -> Vector:
    """Sum a + scale * b."""
    return (a[0] + scale * b[0], a[1] + scale * b[1], a[2] + scale * b[2])


def between(a: Vector, b: Vector, share: float) -> Vector:
    """Point between a and b; share 0 gives a, 1 gives b."""
    return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2]))


def dot(a: Vector, b: Vector) -> float:
    """Inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Cross product in a right-handed coordinate system."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def length(vector: Vector) -> float:
    """Euclidean length."""
    return math.sqrt(dot(vector, vector))


def unit(vector: Vector) -> Vector:
    """Unit vector in the direction of a non-zero vector."""
    size = length(vector)
    return (vector[0] / size, vector[1] / size, vector[2] / size)


def bisect(rises: Callable[[float], float], low: float, high: float, steps: int = 14) -> float:
    """Find the zero of an increasing function, or the nearer end of the range if there is none.

    Args:
        rises: Function that increases from low to high.
        low: Lower end of the range.
        high: Upper end of the range.
        steps: Number of halvings; 14 narrow 140 degrees down to 0.01.
    """
    for _ in range(steps):
        middle = 0.5 * (low + high)
        if rises(middle) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
