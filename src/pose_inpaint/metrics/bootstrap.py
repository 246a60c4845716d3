"""Confidence intervals from a seeded percentile bootstrap over images (Efron 1979)."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

RESAMPLES = 2000
TOGETHER = 250  # resamples that are drawn, and summed, at a time
LEVEL = 0.95


class Estimate(TypedDict):
    """A score with its 95 % interval."""

    value: float | None  # the score; None where it is not a finite number
    low: float | None  # lower end of the interval; None where there is none
    high: float | None  # upper end of the interval; None where there is none
    n: int  # number of images that have a value


@lru_cache(maxsize=8)  # all scores of a group of images, and all pairs of methods, share their draws
def draw_counts(images: int, seed: int, resamples: int = RESAMPLES) -> UInt8[Tensor, "r n"]:
    """Number of times each image occurs in each resample; resamples are as large as the set, with replacement."""
    generator = np.random.default_rng(seed)
    # An image is drawn about once in a resample, so a byte holds its count: 2 KB per image instead of 16.
    counts = np.empty((resamples, images), dtype=np.uint8)
    for start in range(0, resamples, TOGETHER):
        part = counts[start : start + TOGETHER]
        # Shifting each resample to its own range of numbers counts all of them in one bincount.
        shifted = generator.integers(0, images, part.shape) + images * np.arange(len(part))[:, None]
        part[:] = np.bincount(shifted.ravel(), minlength=part.size).reshape(part.shape)
    return torch.from_numpy(counts)


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
        sums = torch.cat([part.double() @ terms for part in draw_counts(len(terms), seed).split(TOGETHER)])  # type: ignore[no-untyped-call]
        low, high = percentile_interval(finish(sums))
    return {"value": value, "low": low, "high": high, "n": len(terms)}


def estimate_mean(values: Float[Tensor, " n"], seed: int) -> Estimate:
    """Estimate the mean of the `n` values that are not NaN, with its interval."""
    valid = values[~values.isnan()].double()
    return estimate(torch.stack([valid, torch.ones_like(valid)], dim=1), ratio, seed)


def ratio(sums: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
    """First sum divided by the second."""
    quotient: Tensor = sums[..., 0] / sums[..., 1]
    return quotient
