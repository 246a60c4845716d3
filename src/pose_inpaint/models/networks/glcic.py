"""Globally and locally consistent image completion (Iizuka, Simo-Serra and Ishikawa 2017).

https://doi.org/10.1145/3072959.3073659, tables 1 (completion network) and 2 (discriminators).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.local_patch import crop
from pose_inpaint.models.layers.same_padding import SameConv2d, conv_block, initialise_xavier, upsampling_block
from pose_inpaint.models.layers.shape_checks import check_even_width, check_sides
from pose_inpaint.types import InpaintingOutput

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

DILATIONS = (2, 4, 8, 16)
DISCRIMINATOR_WIDTHS = (64, 128, 256, 512, 512, 512)  # table 2a; the local discriminator (2b) ends one earlier
SMALLEST = 4  # pixels: the side at which both discriminators flatten their features


class CompletionNetwork(nn.Module):
    """Encoder, dilated convolutions, decoder; batch normalisation and ReLU after every layer but the last.

    6,069,155 parameters at the default width. The 2018 generator is this one with skip connections, without the last
    layer's bias.

    Args:
        width: channels of the first layer; all others scale with it. At least 2, even.
        fill: the colour that holes are given, red, green and blue in [-1, 1]: the mean of the training images
            (section 3.4). The default is the mean of ImageNet's images.

    Raises:
        InputError: an argument is out of range.
    """

    stride = 4
    """Sides of the input must be multiples of this."""

    def __init__(self, width: int = 64, fill: tuple[float, float, float] = (-0.03, -0.088, -0.188)) -> None:
        super().__init__()
        check_even_width(width, papers=64)
        if len(fill) != 3 or not all(-1 <= value <= 1 for value in fill):
            raise InputError(f"model.fill={list(fill)}: give red, green and blue in [-1, 1]")
        w = width
        self.register_buffer("fill", torch.tensor(fill, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.layers = nn.Sequential(
            conv_block(4, w, 5),
            conv_block(w, 2 * w, 3, stride=2),
            conv_block(2 * w, 2 * w, 3),
            conv_block(2 * w, 4 * w, 3, stride=2),
            conv_block(4 * w, 4 * w, 3),
            conv_block(4 * w, 4 * w, 3),
            *(conv_block(4 * w, 4 * w, 3, dilation=rate) for rate in DILATIONS),
            conv_block(4 * w, 4 * w, 3),
            conv_block(4 * w, 4 * w, 3),
            upsampling_block(4 * w, 2 * w),
            conv_block(2 * w, 2 * w, 3),
            upsampling_block(2 * w, w),
            conv_block(w, w // 2, 3),
            SameConv2d(w // 2, 3, 3),
        )
        initialise_xavier(self)

    def forward(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaints the images; one sample each, whatever `samples` asks for.

        Raises:
            InputError: a side of the images is not a multiple of 4.
        """
        check_sides(known, self.stride)
        filled = torch.where(mask > 0, self.get_buffer("fill"), known)
        raw = 2 * torch.sigmoid(self.layers(torch.cat([filled, mask], dim=1))) - 1  # the paper's images are in [0, 1]
        return InpaintingOutput(raw=raw[:, None])


class Discriminators(nn.Module):
    """A global and a local discriminator, joined by one linear layer to one logit of "real".

    At the paper's 256x256 pixels with a local patch of 128x128 the global one halves its input six times and the local
    one five times, down to 4x4. Smaller images take fewer halvings, so that both still end at 4x4.

    Args:
        width: channels of the first layers; all others scale with it (the paper's is 64).
        size: side of the images in pixels: 4 times a power of two, from 8 to 256.
        patch: side of the local patch in pixels, likewise, at most `size`; None for half of it, as in the paper.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(self, width: int = 64, size: int = 256, patch: int | None = None) -> None:
        super().__init__()
        patch = size // 2 if patch is None else patch
        if width < 1:
            raise InputError(f"discriminator.width={width}: must be at least 1 (the paper's is 64)")
        sides = [SMALLEST * 2**n for n in range(1, len(DISCRIMINATOR_WIDTHS) + 1)]
        for key, value in (("size", size), ("patch", patch)):
            if value not in sides:
                raise InputError(f"discriminator.{key}={value}: not one of {', '.join(map(str, sides))}")
        if patch > size:
            raise InputError(f"discriminator.patch={patch}: larger than discriminator.size={size}")
        self.patch: int | None = patch
        self.whole, self.local = _discriminator(width, size), _discriminator(width, patch)
        self.judge = nn.Linear(2 * 16 * width, 1)
        initialise_xavier(self)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Logit of "real" of each image.

        Raises:
            InputError: there are no corners.
        """
        if corners is None or self.patch is None:
            raise InputError("discriminator: a local patch needs corners, and none were given")
        views = [self.whole(images), self.local(crop(images, corners, self.patch))]
        logits: Tensor = self.judge(torch.cat(views, dim=1))
        return logits


def _discriminator(width: int, side: int) -> nn.Sequential:
    """5x5 convolutions of stride 2 down to 4x4 pixels, and a linear layer to 1024 values (at width 64)."""
    halvings = (side // SMALLEST).bit_length() - 1
    widths = [3, *(width * each // DISCRIMINATOR_WIDTHS[0] for each in DISCRIMINATOR_WIDTHS[:halvings])]
    # By the batch's own statistics also when judging, as the 2018 method's discriminator, which this one was the model
    # of.
    blocks = [conv_block(a, b, 5, stride=2, batch_statistics=True) for a, b in pairwise(widths)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(widths[-1] * SMALLEST**2, 16 * width), nn.ReLU())
