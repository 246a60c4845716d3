"""Globally and locally consistent image completion (Iizuka, Simo-Serra and Ishikawa 2017).

https://doi.org/10.1145/3072959.3073659, tables 1 (completion network) and 2 (discriminators).
"""

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.full_precision import ScoreLinear
from pose_inpaint.models.layers.local_patch import crop
from pose_inpaint.models.layers.same_padding import SameConv2d, conv_block, initialise_xavier, upsampling_block
from pose_inpaint.models.layers.shape_checks import check_even_width, check_sides
from pose_inpaint.types import InpaintingOutput

DILATIONS = (2, 4, 8, 16)
DISCRIMINATOR_WIDTHS = (64, 128, 256, 512, 512, 512)  # table 2a; the local discriminator (2b) has one layer less
SMALLEST = 4  # side in pixels of the features that both discriminators flatten


class CompletionNetwork(nn.Module):
    """Encoder, dilated convolutions, decoder; batch normalisation and ReLU after every layer but the last.

    It has 6,069,155 parameters by default. The 2018 generator adds skip connections and drops the last layer's bias.
    Raises `InputError` for arguments out of range.

    Args:
        width: Number of channels of the first layer, even and at least 2; all others scale with it.
        fill: Colour put into the holes, red, green and blue in [-1, 1]. The paper takes the mean of the training images
            (section 3.4); the default is ImageNet's mean.
    """

    stride = 4  # required divisor of the input's sides, in pixels

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
        """Inpaint the images, always one sample; raise `InputError` unless both sides are multiples of 4."""
        check_sides(known, self.stride)
        filled = torch.where(mask > 0, self.get_buffer("fill"), known)
        raw = 2 * torch.sigmoid(self.layers(torch.cat([filled, mask], dim=1))) - 1  # the paper uses [0, 1]
        return InpaintingOutput(raw=raw[:, None])


class Discriminators(nn.Module):
    """Global and local discriminator, joined by a linear layer into one logit of "real".

    For the paper's 256x256 images and 128x128 local patches the global one halves its input six times and the local one
    five times, down to 4x4; smaller inputs are halved fewer times. Raises `InputError` for arguments out of range.

    Args:
        width: Number of channels of the first layers; all others scale with it (the paper's is 64).
        size: Side of the images in pixels, a power of two from 8 to 256.
        patch: Side of the local patch in pixels, a power of two from 8 to `size`; None for half of it (the paper's).
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
        self.judge = ScoreLinear(2 * 16 * width, 1)
        initialise_xavier(self)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Return each image's logit of "real"; raise `InputError` if no corners are given."""
        features = [self.whole(images), self.local(crop(images, corners, self.patch))]
        logits: Tensor = self.judge(torch.cat(features, dim=1))
        return logits


def _discriminator(width: int, side: int) -> nn.Sequential:
    """Build 5x5 convolutions of stride 2 down to 4x4 pixels, and a linear layer to 1024 values (at width 64)."""
    halvings = (side // SMALLEST).bit_length() - 1
    widths = [3, *(width * each // DISCRIMINATOR_WIDTHS[0] for each in DISCRIMINATOR_WIDTHS[:halvings])]
    # Batch statistics in evaluation mode too, as in the 2018 discriminator, which was modelled on this one.
    blocks = [conv_block(a, b, 5, stride=2, batch_statistics=True) for a, b in pairwise(widths)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(widths[-1] * SMALLEST**2, 16 * width), nn.ReLU())
