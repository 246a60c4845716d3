"""Confidence intervals from a seeded percentile bootstrap over images (Efron 1979)."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

RESAMPLES = 2000
LEVEL = 0.95


class Estimate(TypedDict):
    """A score with its 95 % interval."""

    value: float | None  # the score; None where it is not a finite number
    low: float | None  # lower end of the interval; None where there is none
    high: float | None  # upper end of the interval; None where there is none
    n: int  # number of images that have a value


@lru_cache(maxsize=8)  # all scores of a group of images, and all pairs of methods, share their draws
def draw_counts(images: int, seed: int, resamples: int = RESAMPLES) -> Float[Tensor, "r n"]:
    """Number of times each image occurs in each resample; resamples are as large as the set, with replacement."""
    draws = np.random.default_rng(seed).integers(0, images, (resamples, images))
    # Shifting each resample to its own range of numbers counts all of them in one bincount.
    shifted = draws + images * np.arange(resamples)[:, None]
    counts = np.bincount(shifted.ravel(), minlength=resamples * images)
    return torch.from_numpy(counts.reshape(resamples, images).astype(np.float64))


def percentile_interval(estimates: Float[Tensor, " r"], level: float = LEVEL) -> tuple[float, float]:
    """Central interval holding `level` of the estimates that are not NaN; (NaN, NaN) without any."""
    valid = estimates[~estimates.isnan()].numpy()
    if not len(valid):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.percentile(valid, [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)


def estimate(
    terms: Float[Tensor, "n k"], finish: Callable[[Float[Tensor, "... k"]], Float[Tensor, "..."]], seed: int
) -> Estimate:
    """Estimate a score over images with its confidence interval, NaN without images.

    Args:
        terms: Contributions of each image, (n, k).
        finish: Function from the summed contributions to the score.
        seed: Random seed of the resampling.
    """
    value = float(finish(terms.sum(0)))
    low = high = float("nan")
    if math.isfinite(value):  # one image without any error makes the score infinite in most resamples too
        low, high = percentile_interval(finish(draw_counts(len(terms), seed) @ terms))
    return {"value": value, "low": low, "high": high, "n": len(terms)}


def estimate_mean(values: Float[Tensor, " n"], seed: int) -> Estimate:
    """Estimate the mean of the `n` values that are not NaN, with its interval."""
    valid = values[~values.isnan()].double()
    return estimate(torch.stack([valid, torch.ones_like(valid)], dim=1), ratio, seed)


def ratio(sums: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
    """First sum divided by the second."""
    quotient: Tensor = sums[..., 0] / sums[..., 1]
    return quotient
