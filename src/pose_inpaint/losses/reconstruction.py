"""Distances between the completion and the original, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_inpaint.errors import InputError
from pose_inpaint.losses.term import LossTerm
from pose_inpaint.types import Picture, Region, check_choice, region_weight

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

    from pose_inpaint.types import Batch, Completion


class AbsoluteError(LossTerm):
    """Mean over all pixels of W |I - I'|, where W is 1 in `region` and 0 elsewhere.

    The mean is over all pixels whatever the region (as in the release), so that "hole" and "known" add up to "whole".

    Args:
        weight: what the term counts.
        picture: which picture is I'.
        region: where the error counts.
    """

    def __init__(self, weight: float, picture: Picture = "raw", region: Region = "whole") -> None:
        super().__init__(weight)
        check_choice("loss: AbsoluteError's picture", picture, Picture)
        check_choice("loss: AbsoluteError's region", region, Region)
        self.picture, self.region = picture, region

    def forward(self, batch: Batch, completion: Completion, critic: nn.Module | None) -> Float[Tensor, ""]:
        """The mean absolute error, in [0, 2]."""
        error = (completion.picture(self.picture, batch) - batch.target[:, None]).abs()
        return (error * region_weight(batch.mask, self.region)[:, None]).mean()


class MaskError(LossTerm):
    """Mean of (M - M')², M' being the mask that the generator predicts: the slides' alpha term."""

    def forward(self, batch: Batch, completion: Completion, critic: nn.Module | None) -> Float[Tensor, ""]:
        """The mean squared error, in [0, 1].

        Raises:
            InputError: the model predicts no mask.
        """
        if completion.predicted_mask is None:
            message = "loss.alpha: the model predicts no mask; set model.predict_mask=true or loss.alpha=0"
            raise InputError(message)
        return (batch.mask - completion.predicted_mask).square().mean()
