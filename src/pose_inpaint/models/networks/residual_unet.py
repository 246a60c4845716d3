"""Residual U-Net over a push-pull fill: predicts what the smooth fill lacks.

The parts are standard ones: residual blocks of two 3x3 convolutions (He et al. 2016), layer normalisation over channels
in place of batch statistics (Chen et al. 2022, "Simple Baselines for Image Restoration"), self-attention at the coarser
levels for an image-wide field (Vaswani et al. 2017), sub-pixel convolution at both ends (Shi et al. 2016). The last
layer starts at zero, so that an untrained network scores exactly as its fill does.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.models.layers.shape_checks import check_sides
from pose_inpaint.types import InpaintingOutput

LEVELS = (1, 2, 4, 5)
"""Channels of each level, as multiples of the width, at 1/2, 1/4, 1/8 and 1/16 of the resolution."""

ATTENDING = (4, 5)
"""Entries of `LEVELS` that end in self-attention, each with that number of heads."""


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, with a learned scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise each pixel; fastest with images in channels-last memory, which then need no copy."""
        normalised: Tensor = self.norm(images.permute(0, 2, 3, 1))
        return normalised.permute(0, 3, 1, 2)


NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "layer": ChannelNorm,
    "batch": nn.BatchNorm2d,
    "none": lambda _: nn.Identity(),
}
"""Normalisations of the residual blocks, by their names in the configuration."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a SiLU, added to their input; the second starts at zero."""

    def __init__(self, channels: int, normalization: str = "layer") -> None:
        super().__init__()
        self.norm = NORMALIZATIONS[normalization](channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block."""
        added: Tensor = self.conv2(F.silu(self.conv1(self.norm(features))))
        return features + added


class SelfAttention(nn.Module):
    """Multi-head self-attention between all places of a feature map, added to its input."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Apply the block."""
        b, c, h, w = features.shape
        split = self.project(self.norm(features)).reshape(b, 3, self.heads, c // self.heads, h * w)
        query, key, value = split.transpose(-1, -2).unbind(1)
        attended = F.scaled_dot_product_attention(query, key, value)
        added: Tensor = self.out(attended.transpose(-1, -2).reshape(b, c, h, w))
        return features + added


class Generator(nn.Module):
    """Residual U-Net over a push-pull fill; an `Inpainter`.

    The fill and the mask are folded by a pixel unshuffle of 2 into half the resolution, where the first of four levels
    works; each further level halves the resolution again. By default it has 3,680,908 parameters (0.44 million at width
    11, 7.0 million at width 44) and normalises without batch statistics.

    Args:
        width: Number of channels of the first level; the levels have `LEVELS` times as many.
        depths: Number of residual blocks of each level; the decoder's levels have as many as the encoder's.
        prefill: Whether the network sees and corrects the push-pull fill; otherwise it starts from mid-grey holes.
        attention: Whether the coarser levels end in self-attention.
        normalization: One of `NORMALIZATIONS`, of the residual blocks; "batch" uses batch statistics.

    Raises:
        InputError: `width` or a depth is not positive, there are not four depths, or the normalisation is unknown.
    """

    stride = 16
    """Required divisor of the input's sides, in pixels."""

    def __init__(
        self,
        width: int = 32,
        depths: Sequence[int] = (2, 3, 3, 2),
        *,
        prefill: bool = True,
        attention: bool = True,
        normalization: str = "layer",
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"model.width={width}: must be at least 1")
        if len(depths) != len(LEVELS) or min(depths) < 1:
            raise InputError(f"model.depths={list(depths)}: give {len(LEVELS)} numbers of blocks of at least 1")
        if normalization not in NORMALIZATIONS:
            raise InputError(f"model.normalization={normalization}: must be one of {', '.join(NORMALIZATIONS)}")
        self.prefill = prefill
        channels = [factor * width for factor in LEVELS]
        self.first = nn.Conv2d(4 * (3 + 1), width, 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                *(ResidualBlock(c, normalization) for _ in range(depth)),
                *([SelfAttention(c, factor)] if attention and factor in ATTENDING else []),
            )
            for c, depth, factor in zip(channels, depths, LEVELS, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(channels))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(channels))
        self.join = nn.ModuleList(nn.Conv2d(2 * c, c, 1) for c in channels[:-1])
        self.decoder = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(c, normalization) for _ in range(depth)))
            for c, depth in zip(channels[:-1], depths[:-1], strict=True)
        )
        self.last = nn.Conv2d(width, 4 * 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

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
            InputError: A side of the images is not a multiple of 16.
        """
        check_sides(known, self.stride)
        inside = push_pull(known, mask) if self.prefill else torch.zeros_like(known)
        fill = torch.where(mask > 0, inside, known)
        folded = F.pixel_unshuffle(torch.cat([fill, mask], dim=1), 2)
        features = self.first(folded.contiguous(memory_format=torch.channels_last))
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=False):
            features = blocks(features)
            skips.append(features)
            features = down(features)
        features = self.encoder[-1](features)
        for level in reversed(range(len(skips))):
            features = self.join[level](torch.cat([self.up[level](features), skips[level]], dim=1))
            features = self.decoder[level](features)
        raw = fill + F.pixel_shuffle(self.last(features), 2)
        if not self.training:  # a clamp in training would stop the gradient of pixels beyond the range
            raw = raw.clamp(-1, 1)
        return InpaintingOutput(raw=raw[:, None])
