"""Distance between features of a network that was trained to recognise things (Johnson, Alahi and Li 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from pose_inpaint.losses.base import LossTerm
from pose_inpaint.types import Picture, check_choice

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

    from pose_inpaint.models.networks.vgg16 import VGG16Features
    from pose_inpaint.types import Batch, Completion

Scale = Literal["0..255", "-255..255"]


class Perceptual(LossTerm):
    """Sum over layers of mean (phi(I) - phi(I'))²: the slides' L_p.

    Args:
        weight: what the term counts.
        features: phi.
        picture: which picture is I'.
        scale: the scale on which phi is shown pictures. "0..255" is what VGG16 was trained on; "-255..255" is what the
            release feeds it (pictures in [-1, 1], times 255).
    """

    def __init__(
        self, weight: float, features: VGG16Features, picture: Picture = "raw", scale: Scale = "0..255"
    ) -> None:
        super().__init__(weight)
        check_choice("loss: Perceptual's picture", picture, Picture)
        check_choice("loss: Perceptual's scale", scale, Scale)
        self.features, self.picture, self.scale = features, picture, scale

    def forward(self, batch: Batch, completion: Completion, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """The distance, at least 0. The original's features are taken once, without a graph."""
        pictures = completion.picture(self.picture, batch)
        # In full precision: features run into the thousands, and half of it would lose their differences.
        with torch.autocast(pictures.device.type, enabled=False):
            with torch.no_grad():
                of_target = self.features(self._rescale(batch.target))
            found = self.features(self._rescale(pictures.flatten(0, 1)))
        samples = pictures.shape[1]
        distances = [
            (b.unflatten(0, (-1, samples)) - a[:, None]).square().mean() for a, b in zip(of_target, found, strict=True)
        ]
        return torch.stack(distances).sum()

    def _rescale(self, pictures: Tensor) -> Tensor:
        pictures = pictures if pictures.dtype == torch.float64 else pictures.float()
        return pictures * 255 if self.scale == "-255..255" else (pictures + 1) * 127.5
