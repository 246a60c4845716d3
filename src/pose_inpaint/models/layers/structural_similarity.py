"""Structural similarity (SSIM) of images, differentiable, for losses and scores."""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.errors import InputError

WINDOW = 11  # pixels; Wang et al. 2004
SIGMA = 1.5  # pixels
STABILISERS = (0.01**2, 0.03**2)  # C1 and C2 at data range 1


def blur(images: Float[Tensor, "... h w"]) -> Float[Tensor, "... h2 w2"]:
    """Gaussian mean over each 11x11 window inside the image; height and width shrink by 10 pixels."""
    # Two products with banded matrices: PyTorch's grouped convolution is a hundred times slower in double precision on
    # a CPU, and in single precision it differs from scikit-image by more than 1e-6 on flat images. Shifted copies would
    # be four times as fast on a CPU, but round differently: the last digit of scores published so far would change.
    rows, columns = (_band(length, images.dtype, images.device) for length in images.shape[-2:])
    blurred: Tensor = rows @ images @ columns.mT
    return blurred


@lru_cache(maxsize=16)
def _band(length: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "l2 l"]:
    taps = [math.exp(-((k - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for k in range(WINDOW)]
    with torch.inference_mode(mode=False):  # a matrix made in inference mode could not be part of a later training step
        band = torch.zeros(length - WINDOW + 1, length, dtype=dtype, device=device)
        for k, tap in enumerate(taps):
            band.diagonal(k).fill_(tap / sum(taps))
        return band


def moments(images: Float[Tensor, "c h w"]) -> tuple[Float[Tensor, "c h2 w2"], Float[Tensor, "c h2 w2"]]:
    """Means of the values and of their squares over each window.

    Raises:
        InputError: An image is smaller than the window.
    """
    smallest = min(images.shape[-2:])
    if smallest < WINDOW:
        raise InputError(f"data.size: SSIM needs images of at least {WINDOW} pixels per side; these have {smallest}")
    mean, square = blur(torch.stack([images, images**2]))
    return mean, square


def structural_similarity(
    prediction: Float[Tensor, "c h w"],
    target: Float[Tensor, "c h w"],
    of_target: tuple[Float[Tensor, "c h2 w2"], Float[Tensor, "c h2 w2"]] | None = None,
) -> Float[Tensor, "c h2 w2"]:
    """SSIM of each window inside the image (Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861).

    Equal to scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1`: Gaussian 11x11 window, population covariance.

    Args:
        prediction: Images in [0, 1].
        target: Their originals.
        of_target: `moments(target)`, if they are known from another prediction.

    Raises:
        InputError: An image is smaller than the window.
    """
    # Variances as E[x²] - E[x]² cancel almost completely on flat images, hence double precision in `to_unit`.
    mean_t, square_t = moments(target) if of_target is None else of_target
    mean_p, square_p, product = blur(torch.stack([prediction, prediction**2, prediction * target]))
    variances, covariance = square_p - mean_p**2 + square_t - mean_t**2, product - mean_p * mean_t
    c1, c2 = STABILISERS
    similarity: Tensor = (
        (2 * mean_p * mean_t + c1) * (2 * covariance + c2) / ((mean_p**2 + mean_t**2 + c1) * (variances + c2))
    )
    return similarity
