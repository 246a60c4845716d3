"""Generator and discriminator of Pandey and Patel 2018.

Layers, widths and normalisation follow the authors' code (https://github.com/vismay93/ImageInpaintingChalearn), which
agrees with the slides "Generative Image Inpainting for Person Pose Generation", IIT Madras, 19 September 2018.
"""

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.full_precision import ScoreLinear
from pose_inpaint.models.layers.same_padding import Init, SameConv2d, conv_block, initialise, upsampling_block
from pose_inpaint.models.layers.shape_checks import check_even_width, check_sides
from pose_inpaint.types import InpaintingOutput

DILATIONS = (2, 4, 8, 16)  # rates of the dilated convolutions between encoder and decoder (authors' code)


class Generator(nn.Module):
    """Encoder and decoder with skip connections around dilated convolutions: 6,890,400 parameters by default.

    Args:
        width: Number of channels of the first layer, even and at least 2 (else `InputError`); all others scale with it.
        predict_mask: Whether to predict the mask too, by a 3x3 convolution (288 parameters) with a sigmoid beside the
            last layer. The slides' alpha term needs it, but neither they nor the authors' code specify its layer.
        skips: Whether to pass the encoder's features to the decoder, as in the paper. Without them the decoder's layers
            take half the channels, and the network has 821,248 parameters fewer.
        dilated: Whether the four middle convolutions have rates 2, 4, 8 and 16; otherwise they have rate 1.
        init: Initial weights, "xavier" or "authors2018"; see `initialise`. An untrained network's output has a standard
            deviation of about 0.57 with the first and 0.05 with the second.
    """

    stride = 4  # required divisor of the input's sides, in pixels

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
        """Inpaint the images, always one sample; raise `InputError` unless both sides are multiples of 4."""
        check_sides(known, self.stride)
        decoded, encoded = torch.cat([known, mask], dim=1), []
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            decoded = convolution(decoded)
            encoded.append(decoded)
        decoded = self.middle(decoded)
        for layer in (self.deconv1, self.conv9, self.deconv2, self.conv10):
            skipped = encoded.pop()  # the layer of the same resolution, from the deepest up
            decoded = layer(torch.cat([decoded, skipped], dim=1) if self.skips else decoded)
        predicted_mask = None if self.mask_output is None else torch.sigmoid(self.mask_output(decoded))
        return InpaintingOutput(raw=torch.tanh(self.conv11(decoded))[:, None], predicted_mask=predicted_mask)


class Discriminator(nn.Module):
    """Five strided convolutions and two linear layers down to a logit of "real".

    It has 19,252,801 parameters by default. As in the authors' code, it normalises by batch statistics in evaluation
    mode too, so an image's logit depends on the others in the batch. Raises `InputError` for arguments out of range.

    Args:
        width: Number of channels of the first layer, positive; all others scale with it.
        size: Side of the images in pixels, a multiple of 32.
        init: Initial weights, "xavier" or "authors2018"; see `initialise`.
    """

    patch: int | None = None  # only whole images are judged

    def __init__(self, width: int = 64, size: int = 128, *, init: Init = "xavier") -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"discriminator.width={width}: must be at least 1 (the paper's is 64)")
        if size < 32 or size % 32:
            raise InputError(f"discriminator.size={size}: must be a multiple of 32, since images are halved five times")
        widths = (3, width, 2 * width, 4 * width, 8 * width, 8 * width)
        blocks = [conv_block(a, b, 5, stride=2, batch_statistics=True) for a, b in pairwise(widths)]
        self.features = nn.Sequential(*blocks)
        flat = 8 * width * (size // 32) ** 2
        self.judge = nn.Sequential(nn.Flatten(), nn.Linear(flat, 16 * width), ScoreLinear(16 * width, 1))
        initialise(self, init, "discriminator")

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Return each image's logit of "real"."""
        logits: Tensor = self.judge(self.features(images))
        return logits
