"""The simplest fills there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pose_inpaint.types import EMPTY, Completion

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class MeanFill:
    """Fills the holes of each picture with the mean colour of its known pixels."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> Completion:
        """Fills; a picture without a known pixel becomes mid-grey."""
        visible = 1 - mask
        mean = (known * visible).sum((2, 3), keepdim=True) / visible.sum((2, 3), keepdim=True).clamp(min=1)
        return Completion(raw=torch.where(mask > 0, mean, known)[:, None])


class BlackFill:
    """Leaves the holes black, as the challenge's inputs have them: what a system must beat."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> Completion:
        """The input as it is."""
        return Completion(raw=torch.where(mask > 0, torch.full_like(known, EMPTY), known)[:, None])
