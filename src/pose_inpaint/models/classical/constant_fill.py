"""The simplest fills there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pose_inpaint.types import EMPTY, InpaintingOutput

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class MeanFill:
    """Fills the holes of each image with the mean colour of its known pixels."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Fills; an image without a known pixel becomes mid-grey."""
        visible = 1 - mask
        mean = (known * visible).sum((2, 3), keepdim=True) / visible.sum((2, 3), keepdim=True).clamp(min=1)
        return InpaintingOutput(raw=torch.where(mask > 0, mean, known)[:, None])


class BlackFill:
    """Leaves the holes black, as the challenge's inputs have them: what a method must beat."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """The input as it is."""
        return InpaintingOutput(raw=torch.where(mask > 0, torch.full_like(known, EMPTY), known)[:, None])
