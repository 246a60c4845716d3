"""Pixelwise distances between the output and the original."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.losses.base import LossTerm
from pose_inpaint.models.layers.hole_geometry import distance_to_known
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, Region, check_choice, region_weight

MeanOver = Literal["whole", "region"]


class PixelError(LossTerm):
    """Mean of `W e(I - I')`, where W is 1 in `region` and 0 elsewhere; subclasses define e in `error`.

    Raises `InputError` for arguments out of range.

    Args:
        weight: Weight of the term in the sum.
        image: Image I' to compare with the original.
        region: Region in which the error counts.
        mean_over: Pixels to average over: the "whole" image (as in the authors' code), so that "hole" and "known" add
            up to "whole"; or the "region", so that a small hole counts as much as a large one.
        discount: Factor in (0, 1] per step to the nearest known pixel: W = discount ** steps. The centre of a hole can
            be filled in many ways, so its error counts less (Yu et al. 2018, section 3.2). 1 disables it.
    """

    def __init__(
        self,
        weight: float,
        image: ImageKind = "raw",
        region: Region = "whole",
        mean_over: MeanOver = "whole",
        discount: float = 1.0,
    ) -> None:
        super().__init__(weight)
        name = f"loss: {type(self).__name__}'s"
        check_choice(f"{name} image", image, ImageKind)
        check_choice(f"{name} region", region, Region)
        check_choice(f"{name} mean_over", mean_over, MeanOver)
        if not 0 < discount <= 1:
            raise InputError(f"{name} discount={discount}: must be in (0, 1]; give 1 to disable it")
        self.image, self.region, self.mean_over, self.discount = image, region, mean_over, discount

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean error, at least 0; 0 if the region is empty."""
        region = region_weight(batch.mask, self.region)
        weight = region if self.discount == 1 else region * self.discount ** distance_to_known(batch.mask)
        error = self.error(output.image(self.image, batch) - batch.target[:, None]) * weight[:, None]
        if self.mean_over == "whole":
            return error.mean()
        return error.sum() / (region.sum() * error.shape[1:3].numel()).clamp(min=1)

    def error(self, difference: Float[Tensor, "b s 3 h w"]) -> Float[Tensor, "b s 3 h w"]:
        """Error of each difference in [-2, 2]."""
        raise NotImplementedError


class AbsoluteError(PixelError):
    """Mean of `W |I - I'|`, in [0, 2]."""

    def error(self, difference: Float[Tensor, "b s 3 h w"]) -> Float[Tensor, "b s 3 h w"]:
        """Absolute difference."""
        return difference.abs()


class SquaredError(PixelError):
    """Mean of `W (I - I')²`, in [0, 4]."""

    def error(self, difference: Float[Tensor, "b s 3 h w"]) -> Float[Tensor, "b s 3 h w"]:
        """Squared difference."""
        return difference.square()


class MaskError(LossTerm):
    """Mean of (M - M')², where M' is the mask predicted by the generator: the slides' alpha term."""

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean squared error, in [0, 1]; raise `InputError` if the model predicts no mask."""
        if output.predicted_mask is None:
            raise InputError("loss.alpha: the model predicts no mask; set model.predict_mask=true or loss.alpha=0")
        return (batch.mask - output.predicted_mask).square().mean()
