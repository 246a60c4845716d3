"""Random draws that are reproducible across NumPy versions."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def stream(*key: int) -> np.random.Generator:
    """Return a PCG64 generator that depends on the key alone.

    Call only ``random`` and ``integers`` on it: NumPy keeps their streams stable, but not those of its distributions
    (``normal``, ``choice``, ``shuffle``).

    Args:
        *key: Non-negative integers such as (seed, index).
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number from [low, high)."""
    return low + (high - low) * float(rng.random())


def around(rng: np.random.Generator, middle: float, spread: float) -> float:
    """Draw a number from middle +- spread with a triangular density that peaks in the middle."""
    return middle + spread * (float(rng.random()) - float(rng.random()))


def happens(rng: np.random.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return float(rng.random()) < probability


def pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """Draw one of the items with equal probability."""
    return items[int(rng.integers(len(items)))]


def pick_weighted(rng: np.random.Generator, weights: Mapping[Item, float]) -> Item:
    """Draw one of the keys with a probability proportional to its weight."""
    remaining = float(rng.random()) * sum(weights.values())
    chosen = next(iter(weights))
    for item, weight in weights.items():
        chosen = item
        remaining -= weight
        if remaining < 0.0:
            break
    return chosen
