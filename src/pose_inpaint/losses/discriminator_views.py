"""What the discriminator sees: whole images and local patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from pose_inpaint.models.layers.local_patch import place_patches
from pose_inpaint.types import ImageKind

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from pose_inpaint.types import Batch, Discriminator, InpaintingOutput


@dataclass(frozen=True)
class Views:
    """Images as a discriminator is shown them.

    Attributes:
        images: (n, 3, h, w), in [-1, 1].
        mask: (n, 1, h, w), 1 = masked.
        corners: of the local patches, (n, 2); None for a discriminator without one.
    """

    images: Float[Tensor, "n 3 h w"]
    mask: Float[Tensor, "n 1 h w"]
    corners: Int[Tensor, "n 2"] | None

    def judged_by(self, discriminator: nn.Module) -> Float[Tensor, "n k"]:
        """Scores in full precision: a Wasserstein critic's may be large, and their differences small."""
        scores = cast("Tensor", discriminator(self.images, self.corners))
        return scores if scores.dtype == torch.float64 else scores.float()


def local_corners(discriminator: nn.Module, batch: Batch) -> Int[Tensor, "b 2"] | None:
    """Corners of the local patches, each around a random hole; None for a discriminator without one."""
    patch = cast("Discriminator", discriminator).patch
    return None if patch is None else place_patches(batch.mask, patch, batch.names)


def inpainted_views(
    batch: Batch, output: InpaintingOutput, image: ImageKind, corners: Int[Tensor, "b 2"] | None
) -> Views:
    """The inpainted images, all samples of each, seen at the same places."""
    images = output.image(image, batch)
    samples = images.shape[1]
    mask = batch.mask.repeat_interleave(samples, 0)
    return Views(images.flatten(0, 1), mask, None if corners is None else corners.repeat_interleave(samples, 0))
