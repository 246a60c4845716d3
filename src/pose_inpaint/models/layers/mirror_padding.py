"""Convolutions that see a mirror image beyond the image's edge, and their block with ELU (Yu et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def mirror_pad(images: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c h2 w2"]:
    """Continues the images by `margin` pixels on each side as mirrors at their edges would, edge pixels repeated.

    Margins may be larger than the image, which `torch.nn.functional.pad` does not allow: a convolution of rate 16 has
    a margin of 16 and sees features of 8x8 in an image of 32x32.
    """
    for axis in (-2, -1):
        length = images.shape[axis]
        place = torch.arange(-margin, length + margin, device=images.device) % (2 * length)
        images = images.index_select(axis, torch.minimum(place, 2 * length - 1 - place))
    return images


class MirrorConv2d(nn.Conv2d):
    """A convolution (b, c, h, w) -> (b, c', ceil(h / stride), ceil(w / stride)) with mirror padding; odd kernels."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Pads, then convolves."""
        padded = mirror_pad(input, self.dilation[0] * (self.kernel_size[0] // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation)


def elu_block(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Mirror-padded convolution with bias, then ELU; no normalisation.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel in pixels, odd.
        stride: step in pixels.
        dilation: distance of the kernel's taps in pixels.
    """
    return nn.Sequential(MirrorConv2d(inputs, outputs, kernel, stride=stride, dilation=dilation), nn.ELU())


def enlarging_block(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the resolution by repeating pixels, then a 3x3 `elu_block`."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *elu_block(inputs, outputs))
