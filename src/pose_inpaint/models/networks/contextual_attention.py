"""Generative image inpainting with contextual attention (Yu et al. 2018, https://arxiv.org/abs/1801.07892).

Layers follow the paper's appendix A. The order of channels and what the text leaves open follow the first version of
the authors' code: https://github.com/JiahuiYu/generative_inpainting.
"""

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.attention import contextual_attention
from pose_inpaint.models.layers.full_precision import ScoreLinear
from pose_inpaint.models.layers.local_patch import crop
from pose_inpaint.models.layers.mirror_padding import MirrorConv2d, elu_block, enlarging_block
from pose_inpaint.models.layers.same_padding import SameConv2d, initialise_xavier
from pose_inpaint.models.layers.shape_checks import check_even_width, check_sides
from pose_inpaint.types import InpaintingOutput

DILATIONS = (2, 4, 8, 16)
LEAK = 0.2  # negative slope of the discriminators' leaky ReLU (authors' code)


class Generator(nn.Module):
    """Coarse network, then a refinement network with contextual attention.

    It has 3,712,198 parameters at the default width, 1,448,227 of them in the coarse network. (The paper states 2.9
    million, but the layers of its appendix don't add up to that.)

    Args:
        width: Number of channels of the first layer, even and at least 2 (else `InputError`); all others scale with it.
    """

    stride = 8  # required divisor of the input's sides, in pixels

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        check_even_width(width, papers=32)
        w = width
        dilated = [elu_block(4 * w, 4 * w, dilation=rate) for rate in DILATIONS]
        self.coarse = nn.Sequential(*_encoder(w, 2 * w), *dilated, *_decoder(4 * w, w))
        dilated = [elu_block(4 * w, 4 * w, dilation=rate) for rate in DILATIONS]
        self.dilated_branch = nn.Sequential(*_encoder(w, w), *dilated)
        # The authors' code ends this branch in ReLU, not ELU, so that similarity is never negative.
        self.attention_branch = nn.Sequential(*_encoder(w, w)[:-1], MirrorConv2d(4 * w, 4 * w, 3), nn.ReLU())
        self.after_attention = nn.Sequential(elu_block(4 * w, 4 * w), elu_block(4 * w, 4 * w))
        self.refinement = nn.Sequential(*_decoder(8 * w, w))
        initialise_xavier(self)

    def forward(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint the images, always one sample; raise `InputError` unless both sides are multiples of 8."""
        check_sides(known, self.stride)
        emptied = known.masked_fill(mask > 0, 0.0)  # grey, as in the authors' code
        marks = torch.cat([torch.ones_like(mask), mask], dim=1)  # a constant channel of ones (authors' code)
        coarse = self.coarse(torch.cat([emptied, marks], dim=1)).clamp(-1, 1)
        drafted = torch.cat([torch.where(mask > 0, coarse, known), marks], dim=1)
        features = self.attention_branch(drafted)
        attended = self.after_attention(contextual_attention(features, F.max_pool2d(mask, 4)))
        raw = self.refinement(torch.cat([self.dilated_branch(drafted), attended], dim=1)).clamp(-1, 1)
        return InpaintingOutput(raw=raw[:, None], coarse=coarse[:, None])


def _encoder(width: int, second: int) -> list[nn.Sequential]:
    """Layers down to 1/4 of the resolution and 4 * width channels, with `second` channels after the first halving."""
    return [
        elu_block(5, width, 5),
        elu_block(width, second, stride=2),
        elu_block(second, 2 * width),
        elu_block(2 * width, 4 * width, stride=2),
        elu_block(4 * width, 4 * width),
        elu_block(4 * width, 4 * width),
    ]


def _decoder(inputs: int, width: int) -> list[nn.Module]:
    """Layers back to full resolution and three colours, not yet clipped."""
    return [
        elu_block(inputs, 4 * width),
        elu_block(4 * width, 4 * width),
        enlarging_block(4 * width, 2 * width),
        elu_block(2 * width, 2 * width),
        enlarging_block(2 * width, width),
        elu_block(width, width // 2),
        MirrorConv2d(width // 2, 3, 3),
    ]


class Discriminators(nn.Module):
    """Global and local discriminator with separate scores, without normalisation.

    Raises `InputError` for arguments out of range.

    Args:
        width: Number of channels of the first layers; all others scale with it.
        size: Side of the images in pixels, a multiple of 16.
        patch: Side of the local patch in pixels, a multiple of 16 up to `size`; None for half of it (the paper's).
    """

    def __init__(self, width: int = 64, size: int = 256, patch: int | None = None) -> None:
        super().__init__()
        patch = size // 2 if patch is None else patch
        if width < 1:
            raise InputError(f"discriminator.width={width}: must be at least 1")
        for key, value in {"size": size, "patch": patch}.items():
            if value < 16 or value % 16:
                raise InputError(f"discriminator.{key}={value}: must be at least 16 and a multiple of 16")
        if patch > size:
            raise InputError(f"discriminator.patch={patch}: larger than discriminator.size={size}")
        self.patch: int | None = patch
        w = width
        self.whole = _discriminator((3, w, 2 * w, 4 * w, 4 * w), size)
        self.local = _discriminator((3, w, 2 * w, 4 * w, 8 * w), patch)
        initialise_xavier(self)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 2"]:
        """Return the scores of each whole image and of its patch; raise `InputError` if no corners are given."""
        return torch.cat([self.whole(images), self.local(crop(images, corners, self.patch))], dim=1)


def _discriminator(widths: tuple[int, ...], size: int) -> nn.Sequential:
    """Build 5x5 convolutions of stride 2 with leaky ReLU, and a linear layer to one score."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [SameConv2d(inputs, outputs, 5, stride=2), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers, nn.Flatten(), ScoreLinear(widths[-1] * (size // 16) ** 2, 1))
