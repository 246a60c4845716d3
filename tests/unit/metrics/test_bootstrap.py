import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from pose_inpaint.metrics.bootstrap import draw_counts, estimate, estimate_mean, percentile_interval, ratio

VALUES = np.random.default_rng(3).gamma(2, size=57)


def test_the_interval_equals_that_of_scipy():
    expected = bootstrap(
        (VALUES,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(11)
    ).confidence_interval
    result = estimate_mean(torch.from_numpy(VALUES), 11)
    assert (result["low"], result["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (result["value"], result["n"]) == (pytest.approx(VALUES.mean()), 57)


def test_the_interval_of_a_ratio_of_sums_equals_that_of_scipy():
    weights = np.random.default_rng(4).integers(1, 9, 57).astype(float)
    expected = bootstrap(
        (VALUES, weights), lambda v, w, axis: v.sum(axis) / w.sum(axis), paired=True, n_resamples=2000,
        method="percentile", rng=np.random.default_rng(5), vectorized=True,
    ).confidence_interval  # fmt: skip
    result = estimate(torch.from_numpy(np.stack([VALUES, weights], axis=1)), ratio, 5)
    assert (result["low"], result["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_95_of_100_intervals_hold_the_true_mean():
    held = 0
    for seed in range(200):
        drawn = torch.from_numpy(np.random.default_rng(seed).normal(1, 1, 80))
        result = estimate_mean(drawn, seed)
        held += result["low"] <= 1 <= result["high"]
    assert 180 <= held <= 199  # 190 expected; with a coverage of 93 to 95 %, outside with probability below 0.001


def test_a_seed_gives_one_interval_and_another_seed_another():
    values = torch.from_numpy(VALUES)
    assert estimate_mean(values, 1) == estimate_mean(values, 1)
    assert estimate_mean(values, 1) != estimate_mean(values, 2)


def test_each_resample_is_as_large_as_the_set():
    assert (draw_counts(7, 0, 50).sum(1) == 7).all()


def test_drawing_in_parts_draws_the_same_as_at_once():
    at_once = np.random.default_rng(9).integers(0, 13, (600, 13))
    counts = [[int((resample == image).sum()) for image in range(13)] for resample in at_once]
    assert draw_counts(13, 9, 600).tolist() == counts


def test_missing_values_are_excluded_and_not_counted():
    result = estimate_mean(torch.tensor([1.0, math.nan, 3.0]), 0)
    assert (result["value"], result["n"]) == (2, 2)
    nothing = estimate_mean(torch.tensor([math.nan]), 0)
    assert nothing["n"] == 0
    assert math.isnan(nothing["low"])


@pytest.mark.parametrize("infinite", [math.inf, -math.inf])
def test_an_infinite_value_gets_no_interval(infinite):
    values = torch.tensor([1.0, 2.0, 4.0])

    def finish(sums):
        """Infinite over all images alone, but not in most resamples."""
        return torch.where(sums[..., 0] == 7, infinite, sums[..., 0])

    of_sum, of_mean = estimate(values[:, None], finish, 0), estimate_mean(torch.tensor([1.0, 2.0, infinite]), 0)
    for result in (of_sum, of_mean):
        assert (result["value"], result["n"]) == (infinite, 3)
        assert math.isnan(result["low"])
        assert math.isnan(result["high"])


def test_without_a_valid_resample_there_is_no_interval():
    assert all(math.isnan(bound) for bound in percentile_interval(torch.full((3,), torch.nan)))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(-10, 10))
def test_shifting_all_values_shifts_the_interval(values, shift):
    before = estimate_mean(torch.tensor(values, dtype=torch.float64), 0)
    after = estimate_mean(torch.tensor(values, dtype=torch.float64) + shift, 0)
    for key in ("value", "low", "high"):
        assert after[key] == pytest.approx(before[key] + shift, abs=1e-8)
    assert min(values) - 1e-9 <= before["low"] <= before["high"] <= max(values) + 1e-9
