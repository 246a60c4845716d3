"""Intervals by resampling images (Efron 1979): the percentile bootstrap, seeded."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

RESAMPLES = 2000
LEVEL = 0.95


class Estimate(TypedDict):
    """A score with its 95 % interval.

    Attributes:
        value: The score; None where it is not a finite number.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        n: Number of images that have a value.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@lru_cache(maxsize=8)  # every score of a group of images, and every pair of methods, takes the same draws
def draw_counts(images: int, seed: int, resamples: int = RESAMPLES) -> Float[Tensor, "r n"]:
    """How often each image is drawn in each resample: as many draws as there are images, with replacement."""
    draws = np.random.default_rng(seed).integers(0, images, (resamples, images))
    shifted = draws + images * np.arange(resamples)[:, None]
    counts = np.bincount(shifted.ravel(), minlength=resamples * images)
    return torch.from_numpy(counts.reshape(resamples, images).astype(np.float64))


def percentile_interval(estimates: Float[Tensor, " r"], level: float = LEVEL) -> tuple[float, float]:
    """The middle `level` of the resamples' estimates; resamples without one (NaN) are left out, (NaN, NaN) for none."""
    sound = estimates[~estimates.isnan()].numpy()
    if not len(sound):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.percentile(sound, [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)


def estimate(
    terms: Float[Tensor, "n k"], finish: Callable[[Float[Tensor, "... k"]], Float[Tensor, ...]], seed: int
) -> Estimate:
    """A score over images with its interval.

    Args:
        terms: each image's contributions.
        finish: from the contributions' sums to the score.
        seed: of the resampling.

    Returns:
        `value`, `low` and `high` (95 %) and `n`, the images; NaN without any.
    """
    value = float(finish(terms.sum(0)))
    low = high = float("nan")
    if math.isfinite(value):  # an infinite ratio of one image (no error at all) leaves nothing to resample
        low, high = percentile_interval(finish(draw_counts(len(terms), seed) @ terms))
    return {"value": value, "low": low, "high": high, "n": len(terms)}


def estimate_mean(values: Float[Tensor, " n"], seed: int) -> Estimate:
    """The mean of the values that are not NaN, with its interval; `n` counts those."""
    sound = values[~values.isnan()].double()
    return estimate(torch.stack([sound, torch.ones_like(sound)], dim=1), ratio, seed)


def ratio(sums: Float[Tensor, "... 2"]) -> Float[Tensor, ...]:
    """The first sum over the second."""
    quotient: Tensor = sums[..., 0] / sums[..., 1]
    return quotient
