"""Distance between features of an image classifier (Johnson, Alahi and Li 2016)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.losses.base import LossTerm
from pose_inpaint.models.layers.local_patch import crop as cut
from pose_inpaint.models.layers.local_patch import place_patches
from pose_inpaint.models.networks.vgg16 import VGG16Features
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, check_choice

Scale = Literal["0..255", "-255..255"]


class Perceptual(LossTerm):
    """Sum over layers of mean (phi(I) - phi(I'))²: the slides' L_p.

    Args:
        weight: Weight of the term in the sum.
        features: Feature network phi.
        image: Image I' to compare with the original.
        scale: Range of the images fed to phi: "0..255", on which VGG16 was trained, or "-255..255", which the authors'
            code feeds it (images in [-1, 1], times 255).
        crop: Side in pixels of a square around a random hole to compare; None compares whole images. VGG16 costs in
            proportion to the area.
    """

    def __init__(
        self,
        weight: float,
        features: VGG16Features,
        image: ImageKind = "raw",
        scale: Scale = "0..255",
        crop: int | None = None,
    ) -> None:
        super().__init__(weight)
        check_choice("loss: Perceptual's image", image, ImageKind)
        check_choice("loss: Perceptual's scale", scale, Scale)
        if crop is not None and crop < 16:
            raise InputError(f"loss: Perceptual's crop={crop}: must be at least 16, or null for whole images")
        self.features, self.image, self.scale, self.crop = features, image, scale, crop

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Distance, at least 0. The original's features are computed once, without a graph."""
        images, originals = output.image(self.image, batch), batch.target
        if self.crop is not None:
            corners = place_patches(batch.mask, self.crop, batch.names, key="loss: Perceptual's crop")
            samples, originals = images.shape[1], cut(originals, corners, self.crop)
            repeated = corners.repeat_interleave(samples, 0)
            images = cut(images.flatten(0, 1), repeated, self.crop).view(-1, samples, 3, self.crop, self.crop)
        # Full precision: features run into the thousands, and half precision would lose their differences.
        with torch.autocast(images.device.type, enabled=False):
            with torch.no_grad():
                target = self.features(self._rescale(originals))
            inpainted = self.features(self._rescale(images.flatten(0, 1)))
        pairs = [(a[:, None], b.unflatten(0, images.shape[:2])) for a, b in zip(target, inpainted, strict=True)]
        return torch.stack([(b - a).square().mean() for a, b in pairs]).sum()

    def _rescale(self, images: Tensor) -> Tensor:
        images = images if images.dtype == torch.float64 else images.float()
        return images * 255 if self.scale == "-255..255" else (images + 1) * 127.5
