"""MSE, PSNR, SSIM and DSSIM of images in [0, 1]."""

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.metrics.bootstrap import ratio
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.models.layers.structural_similarity import WINDOW, moments, structural_similarity

SMALLEST_MSE = 1e-10  # smaller errors count as this one, 100 dB


def mean_over(values: Float[Tensor, "n h w"], weights: Float[Tensor, "n r h w"]) -> Float[Tensor, "n r"]:
    """Mean of a map over each region; NaN for a region without pixels."""
    return (values[:, None] * weights).sum((2, 3)) / weights.sum((2, 3))


class MSE(ImageMetric):
    """Mean squared error, in [0, 1]; lower is better."""

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3"]:
        """Mean squared error per image and region."""
        return mean_over((prediction - target).square().mean(1), self.region_weights(mask))


def to_decibels(mse: Float[Tensor, " ..."]) -> Float[Tensor, " ..."]:
    """-10 log10 of mean squared errors, at most 100 dB."""
    return -10 * mse.clamp(min=SMALLEST_MSE).log10()


class PSNR(MSE):
    """Mean over images of -10 log10(MSE), in dB, as reported in papers; higher is better, at most 100.

    The limit, which an image without any error has, keeps means and differences finite. A single byte of a 128x128
    image that is wrong by 1 gives 95 dB.
    """

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Convert mean squared errors to peak signal-to-noise ratios."""
        return to_decibels(measured)


class PooledPSNR(ImageMetric):
    """-10 log10 of the squared error pooled over all pixels of all images, in dB; higher is better, at most 100.

    Papers report `PSNR`, which is at least as large if all images have the same number of pixels in the region (by
    Jensen's inequality). Values per image are pairs: sum of squared errors, and number of values in the sum.
    """

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3 2"]:
        """Sum of squared errors and number of values per image and region."""
        weights = self.region_weights(mask)
        squared = ((prediction - target).square().sum(1, keepdim=True) * weights).sum((2, 3))
        return torch.stack([squared, weights.sum((2, 3)) * prediction.shape[1]], dim=2)

    def terms(self, values: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return the pairs unchanged."""
        return values

    def finish(self, sums: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """Convert pooled sums to the signal-to-noise ratio."""
        return to_decibels(ratio(sums))


class SSIM(ImageMetric):
    """Structural similarity, in [-1, 1]; higher is better. Mean over channels and over windows centred in the region.

    Only windows inside the image count, as in scikit-image, so none is centred in the outer 5 pixels. NaN if no window
    is left.
    """

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3"]:
        """Structural similarity per image and region."""
        # One image at a time, so that the five moments fit into the processor's cache.
        of_targets = self.once("moments", lambda: [moments(t) for t in target])
        triples = zip(prediction, target, of_targets, strict=True)
        maps = [structural_similarity(p, t, of_target).mean(0) for p, t, of_target in triples]
        border = WINDOW // 2
        return mean_over(torch.stack(maps), self.region_weights(mask)[..., border:-border, border:-border])


class DSSIM(SSIM):
    """(1 - SSIM) / 2, in [0, 1], as in the challenge; lower is better."""

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Convert similarities to dissimilarities."""
        return (1 - measured) / 2
