"""Convolutions with mirror padding, and their block with ELU (Yu et al. 2018)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def mirror_pad(images: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c h2 w2"]:
    """Pad the images by `margin` pixels on each side with their reflection, edge pixels repeated.

    Unlike `torch.nn.functional.pad`, margins may be larger than the image: a convolution of rate 16 needs a margin of
    16 on the 8x8 features of a 32x32 image.
    """
    for axis in (-2, -1):
        length = images.shape[axis]
        # The padded axis repeats with period 2 * length: the image, then its reflection.
        index = torch.arange(-margin, length + margin, device=images.device)
        index = index % torch.full_like(index, 2 * length)  # a tensor, since ONNX takes no number that is a size here
        images = images.index_select(axis, torch.minimum(index, 2 * length - 1 - index))
    return images


class MirrorConv2d(nn.Conv2d):
    """Convolution (b, c, h, w) -> (b, c', ceil(h / stride), ceil(w / stride)) with mirror padding; odd kernels."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Pad, then convolve."""
        padded = mirror_pad(input, self.dilation[0] * (self.kernel_size[0] // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation)


def elu_block(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Build a mirror-padded convolution (odd kernel, with bias) and ELU, without normalisation."""
    return nn.Sequential(MirrorConv2d(inputs, outputs, kernel, stride=stride, dilation=dilation), nn.ELU())


def enlarging_block(inputs: int, outputs: int) -> nn.Sequential:
    """Build nearest-neighbour upsampling by 2 and a 3x3 `elu_block`."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *elu_block(inputs, outputs))
