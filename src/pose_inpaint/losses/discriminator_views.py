"""Discriminator inputs: whole images and local patches."""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pose_inpaint.models.layers.local_patch import place_patches
from pose_inpaint.types import Batch, Discriminator, ImageKind, InpaintingOutput


@dataclass(frozen=True)
class Views:
    """Images, masks and patch positions for a discriminator.

    Attributes:
        images: Images (n, 3, h, w), in [-1, 1].
        mask: Masks (n, 1, h, w), 1 = masked.
        corners: Row and column of each local patch's top left corner, (n, 2); None for a discriminator without one.
    """

    images: Float[Tensor, "n 3 h w"]
    mask: Float[Tensor, "n 1 h w"]
    corners: Int[Tensor, "n 2"] | None

    def judged_by(self, discriminator: nn.Module) -> Float[Tensor, "n k"]:
        """Scores (n, k) in full precision, computed so by the last layers of `models.layers.full_precision`."""
        scores = cast("Tensor", discriminator(self.images, self.corners))
        return scores if scores.dtype == torch.float64 else scores.float()


def local_corners(discriminator: nn.Module, batch: Batch) -> Int[Tensor, "b 2"] | None:
    """Corners of local patches around one random hole of each image; None for a discriminator without a patch."""
    patch = cast("Discriminator", discriminator).patch
    return None if patch is None else place_patches(batch.mask, patch, batch.names)


def inpainted_views(
    batch: Batch, output: InpaintingOutput, image: ImageKind, corners: Int[Tensor, "b 2"] | None
) -> Views:
    """Views of all samples of each inpainted image, with the same local patch for all samples of an image."""
    images = output.image(image, batch)
    # Samples are flattened into the batch (b s), so masks and corners repeat in that order.
    repeated = None if corners is None else corners.repeat_interleave(images.shape[1], 0)
    return Views(images.flatten(0, 1), batch.mask.repeat_interleave(images.shape[1], 0), repeated)
