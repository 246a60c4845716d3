"""MSE, PSNR, SSIM and DSSIM of images in [0, 1]."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.bootstrap import ratio
from pose_inpaint.metrics.per_image import ImageMetric, region_weights

WINDOW = 11  # pixels; Wang et al. 2004
SIGMA = 1.5  # pixels
STABILISERS = (0.01**2, 0.03**2)  # C1 and C2 at data range 1


def mean_over(values: Float[Tensor, "n h w"], weights: Float[Tensor, "n r h w"]) -> Float[Tensor, "n r"]:
    """Mean of a map over each region; NaN for a region without pixels."""
    return (values[:, None] * weights).sum((2, 3)) / weights.sum((2, 3))


def blur(images: Float[Tensor, "... h w"]) -> Float[Tensor, "... h2 w2"]:
    """Gaussian mean over each 11x11 window inside the image; height and width shrink by 10 pixels."""
    # Two products with banded matrices: PyTorch's grouped convolution is a hundred times slower in double precision on
    # a CPU, and in single precision it differs from scikit-image by more than 1e-6 on flat images.
    rows, columns = _band(images.shape[-2], images), _band(images.shape[-1], images)
    blurred: Tensor = rows @ images @ columns.mT
    return blurred


def _band(length: int, like: Tensor) -> Float[Tensor, "l2 l"]:
    taps = [math.exp(-((k - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for k in range(WINDOW)]
    band = torch.zeros(length - WINDOW + 1, length, dtype=like.dtype, device=like.device)
    for k, tap in enumerate(taps):
        band.diagonal(k).fill_(tap / sum(taps))
    return band


def structural_similarity(
    prediction: Float[Tensor, "c h w"], target: Float[Tensor, "c h w"]
) -> Float[Tensor, "c h2 w2"]:
    """SSIM of each window inside the image (Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861).

    Equal to scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1`. Raises `InputError` if an image is smaller than the 11x11 window.
    """
    smallest = min(prediction.shape[-2:])
    if smallest < WINDOW:
        raise InputError(f"data.size: SSIM needs images of at least {WINDOW} pixels per side; these have {smallest}")
    # Variances as E[x²] - E[x]² cancel almost completely on flat images, hence double precision in `to_unit`.
    mean_p, mean_t, square_p, square_t, product = blur(
        torch.stack([prediction, target, prediction**2, target**2, prediction * target])
    )
    variances, covariance = square_p - mean_p**2 + square_t - mean_t**2, product - mean_p * mean_t
    c1, c2 = STABILISERS
    similarity: Tensor = (
        (2 * mean_p * mean_t + c1) * (2 * covariance + c2) / ((mean_p**2 + mean_t**2 + c1) * (variances + c2))
    )
    return similarity


class MSE(ImageMetric):
    """Mean squared error, in [0, 1]; lower is better."""

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3"]:
        """Mean squared error per image and region."""
        return mean_over((prediction - target).square().mean(1), region_weights(mask))


class PSNR(MSE):
    """Mean over images of -10 log10(MSE), in dB, as reported in papers; higher is better, infinite without error."""

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Convert mean squared errors to peak signal-to-noise ratios."""
        return torch.mul(measured.log10(), -10)


class PooledPSNR(ImageMetric):
    """-10 log10 of the squared error pooled over all pixels of all images, in dB; higher is better.

    Papers report `PSNR`, which is at least as large if all images have the same number of pixels in the region (by
    Jensen's inequality). Values per image are pairs: sum of squared errors, and number of values in the sum.
    """

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3 2"]:
        """Sum of squared errors and number of values per image and region."""
        weights = region_weights(mask)
        squared = ((prediction - target).square().sum(1, keepdim=True) * weights).sum((2, 3))
        return torch.stack([squared, weights.sum((2, 3)) * prediction.shape[1]], dim=2)

    def terms(self, values: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return the pairs unchanged."""
        return values

    def finish(self, sums: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
        """Convert pooled sums to the signal-to-noise ratio."""
        pooled: Tensor = -10 * ratio(sums).log10()
        return pooled


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
        maps = [structural_similarity(p, t).mean(0) for p, t in zip(prediction, target, strict=True)]
        border = WINDOW // 2
        return mean_over(torch.stack(maps), region_weights(mask)[..., border:-border, border:-border])


class DSSIM(SSIM):
    """(1 - SSIM) / 2, in [0, 1], as in the challenge; lower is better."""

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Convert similarities to dissimilarities."""
        return (1 - measured) / 2
