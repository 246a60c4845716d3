from itertools import product

import numpy as np
import pytest

from pose_inpaint.models.classical.scene_completion.seam import (
    LENGTH,
    choose_scene_pixels,
    minimum_cut,
    pixel_prices,
    step_costs,
)


def cost(chosen, free, price, down, right):
    steps = (down * (chosen[1:] != chosen[:-1])).sum() + (right * (chosen[:, 1:] != chosen[:, :-1])).sum()
    return steps + price[chosen & free].sum()


@pytest.mark.parametrize("seed", range(6))
def test_the_cut_is_the_cheapest_of_all(seed):
    random = np.random.default_rng(seed)
    masked, free = np.zeros((5, 5), bool), np.zeros((5, 5), bool)
    free[1:4, 1:4] = True
    free[0, 2] = True
    masked[2, 2] = True
    free &= ~masked
    price = random.random((5, 5)) * 0.3
    down, right = random.random((4, 5)), random.random((5, 4))
    pixels = np.argwhere(free)
    best = np.inf
    for choice in product((False, True), repeat=len(pixels)):
        chosen = masked.copy()
        chosen[tuple(pixels.T)] = choice
        best = min(best, cost(chosen, free, price, down, right))
    chosen = minimum_cut(masked, free, price, down, right)
    assert cost(chosen, free, price, down, right) == pytest.approx(best, abs=1e-4)
    assert chosen[masked].all()
    assert not chosen[~masked & ~free].any()


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_the_cut_does_not_depend_on_the_unit_of_the_costs(factor):
    random = np.random.default_rng(9)
    masked, free = np.zeros((2, 9, 12), bool)
    masked[3:5, 4:8], free[1:8, 2:11] = True, True
    free &= ~masked
    price, down, right = random.random((9, 12)) * 0.3, random.random((8, 12)), random.random((9, 11))
    expected = minimum_cut(masked, free, price, down, right)
    assert expected.sum() > masked.sum()
    np.testing.assert_array_equal(minimum_cut(masked, free, factor * price, factor * down, factor * right), expected)


def test_without_free_pixels_the_hole_alone_is_taken():
    masked = np.zeros((4, 6), bool)
    masked[1:3, 2:5] = True
    costs = np.ones((4, 6)), np.ones((3, 6)), np.ones((4, 5))
    np.testing.assert_array_equal(minimum_cut(masked, np.zeros_like(masked), *costs), masked)


def test_the_seam_avoids_pixels_where_the_images_disagree():
    image = np.random.default_rng(0).random((3, 24, 24)) * 0.01
    masked, free = np.zeros((24, 24), bool), np.zeros((24, 24), bool)
    masked[9:15, 9:15] = True
    free[4:20, 4:20] = True
    free &= ~masked
    scene = image.copy()
    scene[:, 8:16, 15:17] += np.random.default_rng(1).random((3, 8, 2))  # a rim of disagreement to the right
    chosen = choose_scene_pixels(image, scene, masked, free, np.zeros_like(masked), keep=0.02)
    assert chosen[9:15, 15:17].all()  # all taken: the seam lies beyond it
    assert not chosen[4:20, 4:7].any()  # nothing to avoid on the left


@pytest.mark.parametrize("inside_it", [-5.0, 0.0, 0.7, 5.0])
def test_what_is_in_another_hole_does_not_move_the_seam(inside_it):
    difference = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.7, 0.7, inside_it, inside_it])
    columns = np.arange(12)[None]
    masked, unknown = columns < 2, columns > 9
    free = ~masked & ~unknown
    image = np.stack([difference[None]] * 3)
    chosen = choose_scene_pixels(image, np.zeros_like(image), masked, free, unknown, keep=0.02)
    # The difference is constant over the last three known pixels, so the seam between the last two is cheapest; each
    # further pixel has its price.
    np.testing.assert_array_equal(chosen, columns <= 8)


def test_steps_cost_the_mean_slope_of_the_difference_of_the_nearest_known_pixels():
    difference = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 9.0, 9.0])
    image = np.stack([difference] * 3)[:, None]
    unknown = np.arange(8)[None] >= 6
    # Slopes by hand, of three equal channels: one-sided at the left, halved beside the unknown pixels, and repeated.
    slope = np.array([0.1, 0.15, 0.25, 0.35, 0.45, 0.25, 0.25, 0.25]) * 3**0.5 + LENGTH
    down, right = step_costs(image, np.zeros_like(image), unknown)
    assert down.shape == (0, 8)
    np.testing.assert_allclose(right[0], (slope[1:] + slope[:-1]) / 2)


def test_prices_grow_with_the_cube_of_the_distance():
    masked = np.zeros((1, 9), bool)
    masked[0, 0] = True
    np.testing.assert_allclose(pixel_prices(masked, 0.5)[0], (0.5 * np.arange(9)) ** 3)
