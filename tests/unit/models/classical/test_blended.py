import sys
from types import SimpleNamespace

import pytest
import torch

from pose_inpaint.data.images import to_arrays
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.blended import Blended
from pose_inpaint.types import Batch, InpaintingOutput


def slope(size=32):
    """Image that brightens evenly from left to right and from top to bottom."""
    ramp = torch.linspace(-0.6, 0.4, size)
    return (ramp[:, None] + 0.4 * ramp[None]).expand(1, 3, size, size).clone()


def batch(*boxes):
    mask = torch.zeros(1, 1, 32, 32)
    for row, column, side in boxes:
        mask[..., row : row + side, column : column + side] = 1
    return Batch(slope(), mask, ("a",))


class Offset:
    """Perfect output except for a constant offset."""

    stride = 8

    def __init__(self, offset):
        self.offset = offset

    def __call__(self, known, mask, *, samples=1, generator=None):
        return InpaintingOutput((slope() + self.offset)[:, None].expand(-1, samples, -1, -1, -1))


@pytest.mark.parametrize("boxes", [[(10, 9, 9)], [(22, 21, 8), (3, 20, 7)], [(5, 5, 10), (12, 12, 9)]])
def test_a_constant_offset_almost_vanishes_in_holes_inside_the_image(boxes):
    inputs = batch(*boxes)
    raw = Blended(Offset(0.3))(inputs.known, inputs.mask, samples=2).raw
    assert raw.shape == (1, 2, 3, 32, 32)
    error = (raw - inputs.target[:, None]).abs()[inputs.mask[:, None].expand_as(raw) > 0]
    assert error.max() < 0.11  # of 0.3: fast marching is inexact at concave corners, and outputs have 8 bits
    assert error.mean() < 0.04


@pytest.mark.parametrize(
    ("top", "left", "height", "width"), [(8, 11, 12, 10), (9, 5, 7, 14), (10, 6, 12, 9), (0, 12, 10, 8), (3, 24, 9, 8)]
)
def test_what_is_blended_stays_in_its_place(top, left, height, width):
    """A displacement by a pixel would show, as it would not on a slope."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 16, 20, generator=generator) * 1.6 - 0.8
    image = torch.nn.functional.interpolate(coarse, (32, 40), mode="bicubic").clamp(-0.9, 0.9)
    mask = torch.zeros(1, 1, 32, 40)
    mask[..., top : top + height, left : left + width] = 1
    # Fast marching fills from the original here, so that the blend has nothing to change but by 8 bits.
    method = Blended(lambda known, mask, **_: InpaintingOutput(image[:, None]))
    method.opencv = SimpleNamespace(
        inpaint=lambda known, *_: to_arrays(image)[0], INPAINT_TELEA=0, **{
            name: getattr(method.opencv, name) for name in ("boundingRect", "seamlessClone", "NORMAL_CLONE")
        }
    )  # fmt: skip
    raw = method(image * (1 - mask), mask).raw[:, 0]
    assert (raw - image)[mask.expand_as(raw) > 0].abs().mean() < 0.004  # displaced by a pixel: above 0.024


def test_at_the_edge_of_the_image_fast_marching_sets_the_colours():
    inputs = batch((0, 0, 8))
    error = (Blended(Offset(0.3))(inputs.known, inputs.mask).raw[:, 0] - inputs.target)[:, :, :8, :8]
    assert error[..., 7, :4].abs().max() < 0.15  # next to known pixels
    assert error.square().mean() < 0.5 * 0.09


def test_it_beats_the_unblended_method_and_keeps_known_pixels():
    inputs = batch((10, 9, 9), (24, 22, 8))
    raw = Blended(Offset(0.3))(inputs.known, inputs.mask).raw[:, 0]
    assert ((raw - inputs.target).abs() * (1 - inputs.mask)).max() <= 1 / 255 + 1e-6
    assert ((raw - inputs.target).square() * inputs.mask).sum() < 0.1 * 0.09 * 3 * inputs.mask.sum()


def test_images_without_a_hole_or_context_stay_as_they_are():
    for mask in (torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)):
        raw = Blended(Offset(0.1))(slope(), mask).raw[:, 0]
        assert (raw - slope() - 0.1).abs().max() <= 1 / 255 + 1e-6


def test_stride_is_the_methods():
    assert Blended(Offset(0)).stride == 8


def test_bad_settings_raise(monkeypatch):
    with pytest.raises(InputError, match=r"postprocess\.radius=0"):
        Blended(Offset(0), radius=0)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"postprocess=blend needs OpenCV: pip install 'pose-inpaint\[classic\]'"):
        Blended(Offset(0))


def test_the_outputs_texture_is_kept_up_to_the_edge_of_the_image():
    inputs = batch((0, 0, 9))
    stripes = 0.2 * (torch.arange(32) // 2 % 2).float().expand(1, 3, 32, 32)

    def striped(known, mask, *, samples=1, generator=None):
        return InpaintingOutput((slope() + stripes)[:, None])

    raw = Blended(striped)(inputs.known, inputs.mask).raw[0, 0]
    assert (raw[:, 1, 2:7] - raw[:, 1, 1:6]).abs().max() > 0.1  # row 1 has stripes, which fast marching would blur
