"""Generator and discriminator of Pandey and Patel 2018.

Layers, widths and normalisation follow the authors' code (https://github.com/vismay93/ImageInpaintingChalearn), which
agrees with the slides "Generative Image Inpainting for Person Pose Generation", IIT Madras, 19 September 2018.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.full_precision import ScoreLinear
from pose_inpaint.models.layers.same_padding import Init, SameConv2d, conv_block, initialise, upsampling_block
from pose_inpaint.models.layers.shape_checks import check_even_width, check_sides
from pose_inpaint.types import InpaintingOutput

DILATIONS = (2, 4, 8, 16)
"""Rates of the dilated convolutions between encoder and decoder (authors' code)."""


class Generator(nn.Module):
    """Encoder and decoder with skip connections around dilated convolutions; an `Inpainter`.

    It has 6,890,400 parameters at the default width, and 288 more with the mask output.

    Args:
        width: Number of channels of the first layer, even and at least 2; all others scale with it.
        predict_mask: Whether to predict the mask as a second output. The slides' alpha term compares it with the true
            mask, but neither they nor the authors' code specify its layer. Here it is a 3x3 convolution with a sigmoid
            beside the last layer.
        skips: Whether to pass the encoder's features to the decoder, as in the paper. Without them the decoder's layers
            take half the channels, and the network has 821,248 parameters fewer.
        dilated: Whether the four middle convolutions have rates 2, 4, 8 and 16. Otherwise they have rate 1 and the same
            number of weights.
        init: Initial weights, "xavier" or "authors2018"; see `initialise`. An untrained network's output has a standard
            deviation of about 0.57 with the first and 0.05 with the second.

    Raises:
        InputError: `width` is odd or less than 2, or `init` is unknown.
    """

    stride = 4
    """Required divisor of the input's sides, in pixels."""

    def __init__(
        self,
        width: int = 64,
        *,
        predict_mask: bool = False,
        skips: bool = True,
        dilated: bool = True,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        check_even_width(width, papers=64)
        w, joined = width, 2 if skips else 1  # a skip connection doubles the next layer's input channels
        self.skips = skips
        self.conv1 = conv_block(4, w, 5)
        self.conv2 = conv_block(w, 2 * w, 3, stride=2)
        self.conv3 = conv_block(2 * w, 2 * w, 3)
        self.conv4 = conv_block(2 * w, 4 * w, 3, stride=2)
        rates = (1, 1, *(DILATIONS if dilated else (1, 1, 1, 1)), 1, 1)  # conv5, conv6, four dilated, conv7, conv8
        self.middle = nn.Sequential(*(conv_block(4 * w, 4 * w, 3, dilation=rate) for rate in rates))
        self.deconv1 = upsampling_block(joined * 4 * w, 2 * w)
        self.conv9 = conv_block(joined * 2 * w, 2 * w, 3)
        self.deconv2 = upsampling_block(joined * 2 * w, w)
        self.conv10 = conv_block(joined * w, w // 2, 3)
        self.conv11 = SameConv2d(w // 2, 3, 3, bias=False)
        self.mask_output = SameConv2d(w // 2, 1, 3, bias=False) if predict_mask else None
        initialise(self, init, "model")

    def forward(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint the images; always one sample, whatever `samples` is.

        Raises:
            InputError: A side of the images is not a multiple of 4.
        """
        check_sides(known, self.stride)
        conv1 = self.conv1(torch.cat([known, mask], dim=1))
        conv2 = self.conv2(conv1)
        conv3 = self.conv3(conv2)
        conv4 = self.conv4(conv3)
        decoded = self.deconv1(self._join(self.middle(conv4), conv4))
        decoded = self.conv9(self._join(decoded, conv3))
        decoded = self.deconv2(self._join(decoded, conv2))
        decoded = self.conv10(self._join(decoded, conv1))
        predicted_mask = None if self.mask_output is None else torch.sigmoid(self.mask_output(decoded))
        return InpaintingOutput(raw=torch.tanh(self.conv11(decoded))[:, None], predicted_mask=predicted_mask)

    def _join(self, decoded: Tensor, encoded: Tensor) -> Tensor:
        """Concatenate the encoder's features if skip connections are on."""
        return torch.cat([decoded, encoded], dim=1) if self.skips else decoded


class Discriminator(nn.Module):
    """Five strided convolutions and two linear layers down to a logit of "real".

    It has 19,252,801 parameters at the default width for 128x128. As in the authors' code, it normalises by batch
    statistics in evaluation mode too, so an image's logit depends on the others in the batch.

    Args:
        width: Number of channels of the first layer; all others scale with it.
        size: Side of the images in pixels, a multiple of 32.
        init: Initial weights, "xavier" or "authors2018"; see `initialise`.

    Raises:
        InputError: `width` is not positive, `size` is not a positive multiple of 32, or `init` is unknown.
    """

    patch: int | None = None
    """None: only whole images are judged."""

    def __init__(self, width: int = 64, size: int = 128, *, init: Init = "xavier") -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"discriminator.width={width}: must be at least 1 (the paper's is 64)")
        if size < 32 or size % 32:
            raise InputError(f"discriminator.size={size}: must be a multiple of 32, since images are halved five times")
        widths = (3, width, 2 * width, 4 * width, 8 * width, 8 * width)
        self.features = nn.Sequential(
            *(conv_block(a, b, 5, stride=2, batch_statistics=True) for a, b in pairwise(widths))
        )
        self.judge = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * width * (size // 32) ** 2, 16 * width), ScoreLinear(16 * width, 1)
        )
        initialise(self, init, "discriminator")

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Return each image's logit of "real"."""
        logits: Tensor = self.judge(self.features(images))
        return logits
