"""Seeded chance: the few draws that keep their stream between NumPy versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def stream(*key: int) -> np.random.Generator:
    """A generator that depends on the key alone.

    Only ``random`` and ``integers`` may be called on it: NumPy keeps their streams, but may change how its
    distributions (``normal``, ``choice``, ``shuffle``) use the bits.

    Args:
        *key: non-negative integers such as (seed, index).

    Returns:
        A PCG64 generator.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(key))))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from [low, high)."""
    return low + (high - low) * float(rng.random())


def around(rng: np.random.Generator, middle: float, spread: float) -> float:
    """A number from middle +- spread with a triangular density, so that the middle is likeliest."""
    return middle + spread * (float(rng.random()) - float(rng.random()))


def happens(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return float(rng.random()) < probability


def pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """One of the items, all equally likely."""
    return items[int(rng.integers(len(items)))]


def pick_weighted(rng: np.random.Generator, weights: Mapping[Item, float]) -> Item:
    """One of the keys, with a chance in proportion to its weight."""
    left = float(rng.random()) * sum(weights.values())
    chosen = next(iter(weights))
    for item, weight in weights.items():
        chosen = item
        left -= weight
        if left < 0.0:
            break
    return chosen
