import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.patchmatch import PatchMatchFill
from pose_inpaint.types import EMPTY


def stripes(height=48, width=48):
    """Vertical stripes of period 8 with a hole."""
    row = torch.where(torch.arange(width) % 8 < 4, 1.0, -1.0)
    target = row.expand(1, 3, height, width).clone()
    mask = torch.zeros(1, 1, height, width)
    mask[..., 16:28, 18:30] = 1
    return target, mask


def test_a_texture_is_continued_where_a_diffusion_would_blur_it():
    target, mask = stripes()
    raw = PatchMatchFill()(torch.where(mask > 0, EMPTY, target), mask).raw[:, 0]
    torch.testing.assert_close(raw, target, atol=0.02, rtol=0)


def random_images(seed=0):
    known = torch.rand(3, 3, 24, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    mask = torch.zeros(3, 1, 24, 32)
    mask[..., 8:16, 10:22] = 1
    return torch.where(mask > 0, EMPTY, known), mask


def test_known_pixels_stay_and_the_seed_alone_decides():
    known, mask = random_images()
    fill, one, other = PatchMatchFill(3), torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    first = fill(known, mask, generator=one).raw
    fill(known, mask, generator=other)
    torch.testing.assert_close(fill(known[1:2], mask[1:2], generator=one).raw, first[1:2], atol=0, rtol=0)
    assert not torch.equal(fill(known, mask, generator=other).raw, first)
    assert (first[:, 0] - known).abs().mul(1 - mask).max() <= 1 / 255 + 1e-6  # rounded to 8 bits


def test_samples_are_those_of_the_seeds_that_follow():
    known, mask = random_images()
    both = PatchMatchFill(3)(known, mask, samples=2, generator=torch.Generator().manual_seed(5)).raw
    second = PatchMatchFill(3)(known, mask, generator=torch.Generator().manual_seed(6)).raw
    assert both.shape[1] == 2
    torch.testing.assert_close(both[:, 1:], second, atol=0, rtol=0)


def test_a_completely_masked_image_raises():
    with pytest.raises(InputError, match="completely masked"):
        PatchMatchFill()(torch.full((1, 3, 16, 16), EMPTY), torch.ones(1, 1, 16, 16))


def test_a_library_without_its_native_part_raises(monkeypatch):
    monkeypatch.setattr("patchmatch.patchmatch_available", False)
    with pytest.raises(InputError, match="native library"):
        PatchMatchFill()
