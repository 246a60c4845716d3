"""Push-pull fill, against loops over pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_inpaint.models.layers.push_pull import halvings, push_pull


def filled_by_loops(values, weights):
    """One image (h, w) of values and weights in [0, 1], each level by explicit loops over pixels."""
    height, width = values.shape
    if height == width == 1:
        return values.copy()
    h, w = -(-height // 2), -(-width // 2)
    coarse, coarse_weights = np.zeros((h, w)), np.zeros((h, w))
    for row in range(h):
        for column in range(w):
            block = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            total = weights[block].sum()
            coarse[row, column] = (values[block] * weights[block]).sum() / total if total > 0 else 0
            coarse_weights[row, column] = min(1, 4 * weights[block].mean())
    below = filled_by_loops(coarse, coarse_weights)
    out = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * h / height - 0.5, 0), h - 1)
            x = min(max((column + 0.5) * w / width - 0.5, 0), w - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
            dy, dx = y - top, x - left
            larger = (below[top, left] * (1 - dx) + below[top, right] * dx) * (1 - dy)
            larger += (below[bottom, left] * (1 - dx) + below[bottom, right] * dx) * dy
            out[row, column] = weights[row, column] * values[row, column] + (1 - weights[row, column]) * larger
    return out


@settings(max_examples=30)
@given(st.integers(1, 13), st.integers(1, 13), st.integers(0, 2**31))
def test_it_equals_loops_over_pixels(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64) * 2 - 1
    mask = (torch.rand(2, 1, height, width, generator=generator) < 0.6).double()
    mask[:, :, 0, 0] = 0
    result = push_pull(torch.where(mask > 0, torch.full_like(known, -1.0), known), mask)
    for image in range(2):
        weights = 1 - mask[image, 0].numpy()
        for channel in range(3):
            expected = filled_by_loops(known[image, channel].numpy() * weights, weights)
            np.testing.assert_allclose(result[image, channel].numpy(), expected, atol=1e-9)


def test_known_pixels_stay_and_holes_are_means_of_them():
    torch.manual_seed(0)
    known, mask = torch.rand(4, 3, 37, 20), (torch.rand(4, 1, 37, 20) < 0.8).float()
    result = push_pull(known, mask)
    torch.testing.assert_close(result * (1 - mask), known * (1 - mask))
    assert result.min() >= known.min() - 1e-5
    assert result.max() <= known.max() + 1e-5


def test_values_inside_the_holes_have_no_effect():
    torch.manual_seed(0)
    known, mask = torch.rand(1, 3, 16, 11), torch.zeros(1, 1, 16, 11)
    mask[..., 3:9, 2:7] = 1
    assert torch.equal(push_pull(known, mask), push_pull(torch.where(mask > 0, -torch.ones(()), known), mask))


def test_an_image_without_known_pixels_becomes_zero():
    assert torch.equal(push_pull(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)), torch.zeros(1, 3, 8, 8))


def test_gradients_reach_the_known_pixels():
    known, mask = torch.rand(1, 1, 8, 8, requires_grad=True), torch.zeros(1, 1, 8, 8)
    mask[..., 2:6, 2:6] = 1
    push_pull(known, mask)[..., 4, 4].sum().backward()
    assert known.grad[mask == 0].sum().item() == pytest.approx(1, abs=1e-5)
    assert (known.grad[mask > 0] == 0).all()


def test_images_are_halved_until_one_pixel_is_left():
    sizes = {(1, 1): 0, (2, 1): 1, (3, 2): 2, (64, 65): 7, (16384, 5): 14}
    assert {size: halvings(*size) for size in sizes} == sizes


@settings(max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**31))
def test_a_graph_for_any_size_gives_the_same(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(2, 3, height, width, generator=generator) * 2 - 1
    mask = (torch.rand(2, 1, height, width, generator=generator) < 0.9).float()
    expected = push_pull(known, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.compiler, "is_compiling", lambda: True)
        assert halvings(height, width) == 14
        torch.testing.assert_close(push_pull(known, mask), expected, atol=1e-6, rtol=0)
