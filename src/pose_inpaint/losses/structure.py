"""Losses of structure: dissimilarity of windows, and distance of spectra."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.losses.base import LossTerm
from pose_inpaint.models.layers.structural_similarity import structural_similarity
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, check_choice


class ImageTerm(LossTerm):
    """Term that compares one image with the original.

    Args:
        weight: Weight of the term in the sum.
        image: Image to compare with the original.
    """

    def __init__(self, weight: float, image: ImageKind = "composite") -> None:
        super().__init__(weight)
        check_choice(f"loss: {type(self).__name__}'s image", image, ImageKind)
        self.image = image


class StructuralError(ImageTerm):
    """Mean of 1 - SSIM over all 11x11 windows of the image (Zhao et al. 2017, https://arxiv.org/abs/1511.08861)."""

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean dissimilarity, in [0, 2].

        Raises:
            InputError: The images are smaller than a window.
        """
        images = _unit(output.image(self.image, batch)).flatten(0, 1)
        samples = len(images) // len(batch.target)
        target = _unit(batch.target).repeat_interleave(samples, dim=0)
        with torch.autocast(images.device.type, enabled=False):  # variances would vanish in half precision
            similarity: Tensor = structural_similarity(images, target).mean()
        return 1 - similarity


class FrequencyError(ImageTerm):
    """Mean absolute difference of the spectra, orthonormal (Jiang et al. 2021, https://arxiv.org/abs/2012.12821).

    Differences of amplitude and of phase both count, and fine texture counts as much as large areas do.
    """

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean distance, at least 0."""
        difference = (output.image(self.image, batch) - batch.target[:, None]).float()
        distance: Tensor = torch.fft.rfft2(difference, norm="ortho").abs().mean()
        return distance


def _unit(images: Tensor) -> Tensor:
    """Scale [-1, 1] to [0, 1]; single precision at least, in which the variances of flat windows don't vanish."""
    return ((images if images.dtype == torch.float64 else images.float()) + 1) / 2
