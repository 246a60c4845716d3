"""Perceptual loss on a crop around a hole."""

import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.losses import Perceptual
from pose_inpaint.models.layers.local_patch import hole_patches
from pose_inpaint.models.networks.vgg16 import VGG16Features
from pose_inpaint.types import Batch, InpaintingOutput


@pytest.fixture(scope="module")
def features():
    torch.manual_seed(0)
    return VGG16Features("random", ["conv1_2"], "rgb")


def sample(size=48):
    torch.manual_seed(0)
    mask = torch.zeros(2, 1, size, size)
    mask[0, :, 20:30, 4:15], mask[1, :, 33:43, 30:41] = 1, 1  # one hole each, so that the crop is known
    target, raw = torch.rand(2, 3, size, size) * 2 - 1, torch.rand(2, 2, 3, size, size) * 2 - 1
    return Batch(target, mask, ("a", "b")), InpaintingOutput(raw=raw)


def test_a_crop_is_compared_as_if_it_were_the_image(features):
    batch, output = sample()
    ours = Perceptual(1.0, features, "composite", crop=16)(batch, output, None)
    parts = []
    for index, patches in enumerate(hole_patches(batch.mask, 16)):
        row, column = patches[0][0]
        window = (slice(row, row + 16), slice(column, column + 16))
        part = Batch(batch.target[index : index + 1, :, *window], batch.mask[index : index + 1, :, *window], ("a",))
        shown = InpaintingOutput(raw=output.raw[index : index + 1, :, :, *window])
        parts.append(Perceptual(1.0, features, "composite")(part, shown, None))
    torch.testing.assert_close(ours, torch.stack(parts).mean())


def test_crops_that_do_not_fit_are_refused(features):
    batch, output = sample()
    with pytest.raises(InputError, match="Perceptual's crop=8: must be at least 16"):
        Perceptual(1.0, features, crop=8)
    with pytest.raises(InputError, match="Perceptual's crop=64: larger than the images of 48x48"):
        Perceptual(1.0, features, crop=64)(batch, output, None)
