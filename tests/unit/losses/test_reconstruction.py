import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.losses import AbsoluteError, SquaredError
from pose_inpaint.types import Batch, InpaintingOutput


@pytest.fixture
def batch():
    """Two black 1x5 images: one with its three middle pixels masked, one with its first pixel masked."""
    mask = torch.tensor([[0.0, 1, 1, 1, 0], [1, 0, 0, 0, 0]])[:, None, None]
    return Batch(torch.zeros(2, 3, 1, 5), mask, ("a", "b"))


@pytest.fixture
def output():
    raw = torch.tensor([[9.0, 1, 2, 3, 9], [4, 9, 9, 9, 9]])[:, None, None, None].expand(2, 1, 3, 1, 5) / 10
    return InpaintingOutput(raw, coarse=raw * 2)


def test_squared_error_by_hand(batch, output):
    in_holes = 0.01 + 0.04 + 0.09 + 0.16
    assert SquaredError(1, "raw", "hole")(batch, output, None).item() == pytest.approx(in_holes / 10)
    assert SquaredError(1, "composite")(batch, output, None).item() == pytest.approx(in_holes / 10)
    assert SquaredError(1, "raw")(batch, output, None).item() == pytest.approx((in_holes + 6 * 0.81) / 10)


def test_the_mean_may_be_over_the_region(batch, output):
    hole = AbsoluteError(1, "raw", "hole", mean_over="region")(batch, output, None)
    assert hole.item() == pytest.approx((0.1 + 0.2 + 0.3 + 0.4) / 4)
    known = AbsoluteError(1, "raw", "known", mean_over="region")(batch, output, None)
    assert known.item() == pytest.approx(0.9)


def test_an_empty_region_counts_nothing(output):
    whole = Batch(torch.zeros(2, 3, 1, 5), torch.zeros(2, 1, 1, 5), ("a", "b"))
    assert AbsoluteError(1, "raw", "hole", mean_over="region")(whole, output, None).item() == 0


def test_weight_is_the_discount_to_the_power_of_the_steps_to_the_nearest_known_pixel(batch, output):
    result = AbsoluteError(1, "raw", "hole", mean_over="region", discount=0.5)(batch, output, None)
    assert result.item() == pytest.approx((0.5 * 0.1 + 0.25 * 0.2 + 0.5 * 0.3 + 0.5 * 0.4) / 4)
    # Known pixels are zero steps away, so they count in full.
    result = AbsoluteError(1, "raw", "known", mean_over="region", discount=0.5)(batch, output, None)
    assert result.item() == pytest.approx(0.9)


def test_the_coarse_image_is_an_image_of_its_own(batch, output):
    term = AbsoluteError(1, "coarse", "hole", mean_over="region")
    assert term(batch, output, None).item() == pytest.approx(0.5)
    with pytest.raises(InputError, match="image=coarse: the model has no coarse output"):
        term(batch, InpaintingOutput(output.raw), None)


@pytest.mark.parametrize("discount", [0, -0.5, 1.01])
def test_invalid_discounts_are_rejected(discount):
    with pytest.raises(InputError, match=rf"AbsoluteError's discount={discount}: must be in \(0, 1\]"):
        AbsoluteError(1, discount=discount)


def test_misspelt_choices_are_rejected():
    with pytest.raises(InputError, match="SquaredError's mean_over=all: not one of whole, region"):
        SquaredError(1, mean_over="all")
