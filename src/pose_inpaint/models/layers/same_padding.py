"""Convolutions with TensorFlow's SAME padding, and the building blocks of the 2018 method.

The authors' code uses TensorFlow 1. Its SAME padding gives ceil(n / stride) pixels and puts the odd pixel of padding at
the bottom and right, which `torch.nn.Conv2d` can't express for stride 2
(https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.types import check_choice

BATCHNORM_MOMENTUM = 0.01  # TensorFlow's decay 0.99 (authors' code)
BATCHNORM_EPSILON = 1e-3  # authors' code
DEVIATION = 0.1  # of the initial batch-norm scales and linear weights (authors' code)

Init = Literal["authors2018", "xavier"]


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Number of padding pixels before and after an axis of `length` pixels."""
    covered = (kernel - 1) * dilation + 1
    # Without a stride, the length doesn't matter; an exported graph is simpler for knowing it.
    total = covered - 1 if stride == 1 else max((-(-length // stride) - 1) * stride + covered - length, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution (b, c, h, w) -> (b, c', ceil(h / stride), ceil(w / stride)) with zero padding."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Pad, then convolve."""
        height = same_padding(input.shape[-2], self.kernel_size[0], self.stride[0], self.dilation[0])
        width = same_padding(input.shape[-1], self.kernel_size[1], self.stride[1], self.dilation[1])
        padding = (height[0], width[0])
        if padding != (height[1], width[1]):  # symmetric padding needs no padded copy
            input, padding = F.pad(input, (*width, *height)), (0, 0)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation)


def conv_block(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, batch_statistics: bool = False
) -> nn.Sequential:
    """Build a block of bias-free convolution, batch normalisation and ReLU, as in the 2018 slides.

    `batch_statistics` uses batch statistics in evaluation mode too, as in the authors' discriminator.
    """
    convolution = SameConv2d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
    return nn.Sequential(convolution, batchnorm(outputs, batch_statistics=batch_statistics), nn.ReLU())


def upsampling_block(inputs: int, outputs: int) -> nn.Sequential:
    """Build a block that doubles the resolution: 4x4 transposed convolution without bias, batch normalisation, ReLU."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, batchnorm(outputs), nn.ReLU())


def batchnorm(channels: int, *, batch_statistics: bool = False) -> nn.BatchNorm2d:
    """Build batch normalisation with the authors' decay and epsilon."""
    return nn.BatchNorm2d(
        channels, eps=BATCHNORM_EPSILON, momentum=BATCHNORM_MOMENTUM, track_running_stats=not batch_statistics
    )


def initialise_xavier(module: nn.Module) -> None:
    """Initialise weights by Xavier uniform (Glorot and Bengio 2010) and biases with zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def initialise(module: nn.Module, init: Init, key: str) -> None:
    """Initialise a network of the 2018 method.

    Args:
        module: Network.
        init: "xavier": `initialise_xavier`, with batch-norm scales of 1; "authors2018": convolutions by Xavier, but
            batch-norm scales and linear weights from a normal distribution of deviation 0.1, truncated at 0.2, as in
            the authors' code (`layer.py`).
        key: Block of the configuration that `init` is in, for the error message.

    Raises:
        InputError: Another value of `init`.
    """
    check_choice(f"{key}.init", init, Init)
    initialise_xavier(module)
    if init == "authors2018":
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.Linear):
                # TensorFlow's truncated normal: drawn again beyond two deviations.
                nn.init.trunc_normal_(layer.weight, std=DEVIATION, a=-2 * DEVIATION, b=2 * DEVIATION)
