"""Scene descriptor of 528 numbers: a gist-like part and colours.

Hays and Efros, Scene Completion Using Millions of Photographs, SIGGRAPH 2007, section 3
(https://doi.org/10.1145/1276377.1276382): oriented edge responses at several scales, averaged over a grid of 4 x 4, and
the colours of the same grid. After the gist of Oliva and Torralba 2001 (https://doi.org/10.1023/A:1011139631724).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import resize
from pose_inpaint.models.classical.scene_completion.lab import to_lab

GRID = 4
BLOCKS = GRID * GRID
SIDE = 64  # side in pixels that images are resized to
MARGIN = 16  # pixels reflected around the image, since the Fourier transform wraps around


@dataclass(frozen=True)
class SceneFilters:
    """Log-Gabor filters.

    Attributes:
        orientations: Number of orientations; 6 in the paper.
        scales: Number of scales, an octave apart, the finest with a wavelength of 3 pixels; 5 in the paper.
    """

    orientations: int = 6
    scales: int = 5

    @cached_property
    def responses(self) -> Float[Tensor, "f n n"]:
        """Gain of each filter by frequency, in one half-plane only, so that responses are complex."""
        side = SIDE + 2 * MARGIN
        frequency = torch.fft.fftfreq(side)
        y, x = torch.meshgrid(frequency, frequency, indexing="ij")
        radius = (x.square() + y.square()).sqrt().clamp(min=1e-9)
        filters = []
        for scale in range(self.scales):
            octaves = torch.log2(radius * 3 * 2**scale)
            radial = torch.exp(-octaves.square() / (2 * 0.6**2))
            for orientation in range(self.orientations):
                angle = torch.atan2(y, x) - math.pi * orientation / self.orientations
                turned = torch.atan2(torch.sin(angle), torch.cos(angle))
                filters.append(radial * torch.exp(-turned.square() / (2 * (math.pi / self.orientations / 1.5) ** 2)))
        gains = torch.stack(filters)
        gains[:, 0, 0] = 0  # the colours already hold the mean
        return gains

    def describe(
        self, image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"] | None = None
    ) -> tuple[Float[Tensor, "16 d"], Float[Tensor, " 16"]]:
        """Describe an image block by block.

        Args:
            image: Image in [-1, 1], (3, h, w).
            mask: Mask (1, h, w), 1 = masked. None means no holes.

        Returns:
            Mean magnitude of each filter's response to L*, and mean L*, a* and b*, over each block's known pixels, in
            units of L*a*b* (zero for a block without any); the known share of each block, in [0, 1].
        """
        small = resize(image, SIDE, SIDE)
        masked = torch.zeros(1, SIDE, SIDE)
        if mask is not None:
            # Dividing by the resized visibility makes each small pixel the mean of its known pixels.
            known = resize(1 - mask, SIDE, SIDE)
            small = resize(torch.where(mask > 0, torch.zeros_like(image), image), SIDE, SIDE) / known.clamp(min=1e-3)
            masked = (known < 0.5).float()
        lab = fill_smoothly(to_lab(small), masked)
        padded = F.pad(lab[:1, None], (MARGIN, MARGIN, MARGIN, MARGIN), mode="reflect")[0, 0]
        magnitude = torch.fft.ifft2(torch.fft.fft2(padded) * self.responses).abs()
        values, visible = torch.cat([magnitude[:, MARGIN:-MARGIN, MARGIN:-MARGIN], lab]), 1 - masked
        share = F.adaptive_avg_pool2d(visible, GRID)
        means = F.adaptive_avg_pool2d(values * visible, GRID) / share.clamp(min=1e-6)
        return torch.where(share > 0, means, torch.zeros_like(means)).flatten(1).T.contiguous(), share.flatten()


def fill_smoothly(values: Float[Tensor, "c h w"], masked: Float[Tensor, "1 h w"]) -> Float[Tensor, "c h w"]:
    """Replace masked values by the mean of known ones in the smallest square of 3, 7, 15, ... pixels with any.

    Otherwise a hole's edge would dominate the filters' responses.
    """
    filled, left = torch.where(masked > 0, torch.zeros_like(values), values), masked > 0
    visible = 1 - masked
    side = 3
    while left.any() and side < 4 * max(values.shape[-2:]):
        count = F.avg_pool2d(visible[None], side, 1, side // 2)[0]
        total = F.avg_pool2d((values * visible)[None], side, 1, side // 2)[0]
        reached = left & (count > 1e-9)
        filled = torch.where(reached, total / count.clamp(min=1e-9), filled)
        left, side = left & ~reached, 2 * side + 1
    return filled
