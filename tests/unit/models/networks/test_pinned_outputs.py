"""Outputs of every network, with weights and images by formulas: what trained weights depend on must not change.

Change the numbers only with an intended change of a network, and mention it in the commit message: weights trained
before then mean something else.
"""

import pytest
import torch

from pose_inpaint.models.networks import context_encoder, contextual_attention, glcic, residual_unet, unet2018
from pose_inpaint.types import EMPTY


def waves(*shape, phase):
    """Numbers of mean square 1 that repeat nowhere."""
    steps = torch.arange(torch.Size(shape).numel(), dtype=torch.float64).view(shape)
    return 2**0.5 * torch.cos(1.7 * steps + 0.3 * (steps % 11) ** 2 + phase)


def formed(network):
    """The network in double precision and evaluation mode, with weights that are neither drawn nor zero."""
    network = network.double().eval()
    with torch.no_grad():
        for number, (name, value) in enumerate(sorted(network.state_dict().items())):
            if not value.is_floating_point():
                continue
            drawn = waves(*value.shape, phase=number)
            if value.ndim > 1:
                inputs = value.shape[0] if name.endswith("weight") and "up" in name else value[0].numel()
                value.copy_(0.8 * drawn / inputs**0.5)
            else:  # scales and variances near 1, the others near 0
                value.copy_(0.1 * drawn + (name.endswith(("weight", "running_var"))))
    return network


def numbers(values):
    """Mean, root mean square, a weighted sum, and two values."""
    flat = values.detach().flatten()
    weighted = (flat * waves(flat.numel(), phase=0.5)).mean()
    chosen = [flat.mean(), flat.square().mean().sqrt(), weighted, flat[len(flat) // 3], flat[2 * len(flat) // 3]]
    return [float(each) for each in chosen]


GENERATORS = {
    "unet2018": (
        lambda: unet2018.Generator(4, predict_mask=True),
        [0.27633, 0.338627, -0.004871, 0.205745, 0.087067, 0.585644, 0.587186, 0.009435],
    ),
    "unet2018 without skips and dilation": (
        lambda: unet2018.Generator(4, skips=False, dilated=False),
        [0.257666, 0.44939, -0.002787, 0.148089, 0.052407],
    ),
    "context_encoder": (
        lambda: context_encoder.Generator(4, size=32),
        [-0.054654, 0.101288, -0.001084, 0.050721, -0.060556],
    ),
    "context_encoder with a bottleneck": (
        lambda: context_encoder.Generator(4, size=32, bottleneck=6),
        [-0.018788, 0.109898, -0.001663, 0.043944, -0.097971],
    ),
    "glcic": (lambda: glcic.CompletionNetwork(4), [0.646458, 0.679005, 0.000709, 0.275384, 0.134772]),
    "contextual_attention": (
        lambda: contextual_attention.Generator(4),
        [-0.017263, 0.115764, -0.002062, -0.007985, -0.161561, -0.079744, 0.151365, -0.002624],
    ),
    "residual_unet": (
        lambda: residual_unet.Generator(4, depths=(1, 2, 1, 1)),
        [0.061444, 0.538959, 0.276775, -0.627505, 0.485298],
    ),
}
DISCRIMINATORS = {
    "unet2018": (lambda: unet2018.Discriminator(2, size=32), [-0.329363, -0.37509, -0.357688]),
    "context_encoder": (lambda: context_encoder.Discriminator(2, size=32), [-0.134829, -0.154158, -0.133753]),
    "glcic": (lambda: glcic.Discriminators(4, size=32, patch=16), [1.023291, 1.443918, 1.651285]),
    "contextual_attention": (
        lambda: contextual_attention.Discriminators(2, size=32, patch=16),
        [0.008389, -0.135747, -0.013633, -0.141632, 0.038529, -0.138702],
    ),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name):
    make, expected = GENERATORS[name]
    mask = torch.zeros(2, 1, 32, 48).double()
    mask[0, :, 3:14, 5:25] = mask[0, :, 20:29, 37:44] = mask[1, :, 9:26, 0:13] = 1
    target = 0.4 * waves(2, 3, 32, 48, phase=0)
    output = formed(make())(torch.where(mask > 0, EMPTY, target), mask)
    assert output.raw.shape == (2, 1, 3, 32, 48)
    assert output.raw.square().mean() < 0.8  # where all is saturated, the numbers would say little
    found = numbers(output.raw)
    for further in (output.coarse, output.predicted_mask):
        if further is not None:
            found += numbers(further)[:3]
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators(name):
    make, expected = DISCRIMINATORS[name]
    images = waves(3, 3, 32, 32, phase=0) / 2**0.5
    scores = formed(make())(images, torch.tensor([[0, 0], [3, 16], [11, 5]]))
    assert scores.flatten().tolist() == pytest.approx(expected, abs=2e-6)
