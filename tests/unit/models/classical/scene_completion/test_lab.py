import torch
from skimage.color import rgb2lab

from pose_inpaint.models.classical.scene_completion.lab import matching_features, to_lab


def test_lab_is_scikit_images():
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    image[:, 0, :3] = torch.tensor([-1.0, 0, 1])  # black, grey, white
    expected = torch.from_numpy(rgb2lab((image.double().permute(1, 2, 0).numpy() + 1) / 2)).permute(2, 0, 1)
    torch.testing.assert_close(to_lab(image), expected.float(), atol=0.02, rtol=0)


def test_texture_is_the_slope_of_lightness():
    ramp = torch.linspace(-0.5, 0.5, 32).expand(3, 8, 32)
    lightness = to_lab(ramp)[0]
    slope = (lightness[3, 18] - lightness[3, 16]) / 2
    torch.testing.assert_close(matching_features(ramp)[3, 3, 17], slope, atol=1e-4, rtol=0)
