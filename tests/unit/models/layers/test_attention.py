"""Contextual attention against the paper's formulas, computed position by position."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.attention import (
    SOFTMAX_SCALE,
    available_places,
    contextual_attention,
    masked_softmax,
    propagate,
)


def value(image, row, column):
    """Feature vector; zero beyond the edges."""
    inside = 0 <= row < image.shape[1] and 0 <= column < image.shape[2]
    return image[:, row, column] if inside else torch.zeros_like(image[:, 0, 0])


def patch(image, row, column):
    return torch.cat([value(image, row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)])


def by_hand(features, mask):
    """One image: compare at half resolution, add neighbours' scores, softmax over known positions, paste patches."""
    channels, height, width = features.shape
    small = features[:, ::2, ::2]
    rows, columns = small.shape[1:]
    positions = [(r, c) for r in range(rows) for c in range(columns)]
    masked = {(r, c): bool(mask[0, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].any()) for r, c in positions}
    near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    available = [p for p in positions if not any(masked.get((p[0] + i, p[1] + j), False) for i, j in near)]
    available = available or [p for p in positions if not masked[p]]

    def score(p, q):
        key = patch(small, *q)
        return float(patch(small, *p) @ key / key.norm().clamp(min=1e-4))

    plain = {(p, q): score(p, q) for p in positions for q in positions}

    def support(scores, axis):
        def at(p, q, i):
            shift = (lambda a: (a[0] + i, a[1])) if axis == 0 else (lambda a: (a[0], a[1] + i))
            return scores.get((shift(p), shift(q)), 0.0)

        return {(p, q): sum(at(p, q, i) for i in (-1, 0, 1)) for p in positions for q in positions}

    scores = support(support(plain, 1), 0)
    total, count = torch.zeros(channels, height, width), torch.zeros(height, width)
    for p in positions:
        weights = {
            q: math.exp(SOFTMAX_SCALE * (scores[p, q] - max(scores[p, a] for a in available))) for q in available
        }
        norm = sum(weights.values())
        for i in range(4):
            for j in range(4):
                row, column = 2 * p[0] - 1 + i, 2 * p[1] - 1 + j
                if 0 <= row < height and 0 <= column < width:
                    count[row, column] += 1
                    for q, weight in weights.items():
                        total[:, row, column] += weight / norm * value(features, 2 * q[0] - 1 + i, 2 * q[1] - 1 + j)
    return total / count


@pytest.mark.parametrize("boxes", [[(2, 2, 4, 4)], [(0, 0, 2, 3), (4, 6, 3, 2)], [(0, 1, 8, 9)]])
@pytest.mark.parametrize("width", [10, 8])
def test_attention_is_the_papers(boxes, width):
    torch.manual_seed(len(boxes))
    features, mask = torch.rand(2, 3, 8, width), torch.zeros(2, 1, 8, width)
    for row, column, height, length in boxes:
        mask[0, :, row : row + height, column : column + length] = 1
    mask[1, :, 5:7, 1:4] = 1
    result = contextual_attention(features, mask)
    for i in range(2):
        assert torch.allclose(result[i], by_hand(features[i], mask[i]), atol=1e-4)


def test_masked_features_are_never_pasted():
    torch.manual_seed(0)
    features, mask = torch.rand(1, 3, 16, 20), torch.zeros(1, 1, 16, 20)
    mask[..., 6:10, 4:12] = mask[..., 1:3, 15:18] = 1
    marked = torch.where(mask > 0, 1000.0, features)
    # A 4x4 patch around an available position reaches one pixel into its neighbours, which are known as well.
    assert contextual_attention(marked, mask).max() <= 1


def test_constant_features_stay_constant_up_to_the_edges():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 5:9, 5:9] = 1
    result = contextual_attention(torch.full((1, 2, 16, 16), 0.5), mask)
    assert torch.allclose(result[..., 2:-2, 2:-2], torch.tensor(0.5), atol=1e-5)


def test_an_image_without_a_known_position_becomes_zero_and_its_gradient_is_finite():
    features = torch.rand(2, 3, 8, 8, requires_grad=True)
    mask = torch.zeros(2, 1, 8, 8)
    mask[0] = 1
    result = contextual_attention(features, mask)
    assert result[0].eq(0).all()
    assert result[1].ne(0).any()
    result.sum().backward()
    assert features.grad.isfinite().all()


def test_known_positions_are_available_where_no_patch_is_known():
    mask = torch.zeros(1, 1, 8, 12)
    mask[..., ::4, ::4] = 1  # one masked pixel in every second position, so that each 3x3 patch contains one
    assert available_places(mask)[0].view(4, 6).tolist() == [[False, True] * 3, [True] * 6] * 2


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 4))
def test_propagation_is_the_sum_over_equal_shifts(seed, height, width):
    scores = torch.rand(1, height, width, height, width, generator=torch.Generator().manual_seed(seed))

    def at(r, c, r2, c2):
        inside = all(0 <= a < height for a in (r, r2)) and all(0 <= a < width for a in (c, c2))
        return scores[0, r, c, r2, c2].item() if inside else 0.0

    result = propagate(scores)
    near = (-1, 0, 1)
    for r, c, r2, c2 in torch.ones(height, width, height, width).nonzero().tolist():
        # Along columns first, then along rows: the intermediate sum is zero beyond the rows' ends.
        expected = sum(
            at(r + i, c + j, r2 + i, c2 + j) for i in near for j in near if 0 <= r + i < height and 0 <= r2 + i < height
        )
        assert result[0, r, c, r2, c2].item() == pytest.approx(expected, abs=1e-5)


def test_scores_are_taken_in_full_precision():
    torch.manual_seed(0)
    features, mask = 5 * torch.rand(1, 8, 16, 16), torch.zeros(1, 1, 16, 16)
    mask[..., 4:9, 4:9] = 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = contextual_attention(features, mask)
    assert result.dtype == torch.float32
    assert torch.equal(result, contextual_attention(features, mask))


def test_images_with_too_many_positions_raise():
    with pytest.raises(InputError, match=r"image of 4096x2048 pixels: .* at most about 1024x1024 pixels, or size=512"):
        contextual_attention(torch.zeros(1, 1, 1024, 512), torch.zeros(1, 1, 1024, 512))


def test_masked_softmax_sums_to_one_over_available_positions():
    weights = masked_softmax(torch.randn(2, 5, 4), torch.tensor([[True, False, True, True], [False] * 4]))
    assert torch.allclose(weights[0].sum(1), torch.ones(5))
    assert weights[0, :, 1].eq(0).all()
    assert weights[1].eq(0).all()
