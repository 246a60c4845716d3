"""Baselines that fill the holes with one colour."""

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.types import EMPTY, InpaintingOutput


class MeanFill:
    """Fill the holes of each image with the mean colour of its known pixels."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Fill the holes; an image without known pixels becomes mid-grey."""
        visible = 1 - mask
        mean = (known * visible).sum((2, 3), keepdim=True) / visible.sum((2, 3), keepdim=True).clamp(min=1)
        return InpaintingOutput(raw=torch.where(mask > 0, mean, known)[:, None])


class BlackFill:
    """Leave the holes black, as in the challenge's inputs: the baseline that every method must beat."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Return the input with black holes."""
        return InpaintingOutput(raw=torch.where(mask > 0, torch.full_like(known, EMPTY), known)[:, None])
