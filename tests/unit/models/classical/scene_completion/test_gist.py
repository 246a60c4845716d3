import math

import pytest
import torch

from pose_inpaint.models.classical.scene_completion.gist import SceneFilters, fill_smoothly
from pose_inpaint.models.classical.scene_completion.lab import to_lab


@pytest.mark.parametrize("orientation", range(6))
def test_a_grating_excites_its_own_orientation_and_scale(orientation):
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    angle = math.pi * orientation / 6
    wave = torch.sin(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / 12)  # the third scale: 3, 6, 12
    descriptor, share = SceneFilters().describe(wave.expand(3, 64, 64) * 0.4)
    assert int(descriptor[5, :30].argmax()) == 2 * 6 + orientation
    assert share.tolist() == [1] * 16


def test_colours_are_the_means_of_the_blocks():
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1)) - 0.5
    descriptor, _ = SceneFilters(2, 2).describe(image)
    torch.testing.assert_close(descriptor[6, -3:], to_lab(image)[:, 16:32, 32:48].mean((1, 2)))


def test_masked_pixels_do_not_matter_and_shares_say_how_much_is_known():
    generator = torch.Generator().manual_seed(2)
    image, other = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    mask = torch.zeros(1, 64, 64)
    mask[:, :16, :24] = 1  # the first block and half of the second
    first = SceneFilters().describe(image, mask)
    second = SceneFilters().describe(torch.where(mask > 0, other, image), mask)
    torch.testing.assert_close(first[0], second[0], atol=0, rtol=0)
    assert first[1].tolist() == [0, 0.5] + [1] * 14
    assert first[0][0].abs().max() == 0


def test_holes_are_filled_by_the_mean_of_the_nearest():
    values, masked = torch.full((1, 16, 16), 7.0), torch.zeros(1, 16, 16)
    masked[:, 2:12, 3:14] = 1
    values = torch.where(masked > 0, -100.0, values)
    torch.testing.assert_close(fill_smoothly(values, masked), torch.full((1, 16, 16), 7.0))
