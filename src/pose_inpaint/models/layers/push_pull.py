"""Push-pull interpolation of the known pixels: a pyramid of averages without a parameter."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.config.block_schema import LARGEST_SIDE

SATURATION = 4.0
"""One known pixel of a 2x2 block counts as a whole known block: without this, holes drift to the mean of the image."""


def halvings(height: int, width: int) -> int:
    """How often an image is halved until one pixel is left.

    A compiled or exported graph, which is to hold for every size, halves as often as the largest image needs. That
    changes nothing: a single pixel stays as it is.
    """
    longest = LARGEST_SIDE if torch.compiler.is_compiling() else max(height, width)
    return (longest - 1).bit_length()


def push_pull(known: Float[Tensor, "b c h w"], mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c h w"]:
    """Fill holes smoothly from ever coarser averages of the known pixels (Gortler et al. 1996, "The Lumigraph").

    Pull: 2x2 averages of the known values, weighted by their share of known pixels, halve the image until one pixel is
    left. Push: each level is enlarged bilinearly and fills the unknown share of the next finer one. Known pixels keep
    their values, and every output is a weighted mean of them.

    Args:
        known: Images of any size; values inside the holes are ignored.
        mask: Masks; 1 = masked.

    Returns:
        Filled images. An image without a known pixel becomes 0.
    """
    weight = 1 - mask
    levels = [(known * weight, weight)]  # values are multiplied by their weights
    for _ in range(halvings(*known.shape[-2:])):
        value, weight = (F.avg_pool2d(each, 2, ceil_mode=True) for each in levels[-1])
        saturated = (weight * SATURATION).clamp(max=1)
        value, weight = value * (saturated / weight.clamp(min=1e-6)), saturated
        levels.append((value, weight))
    filled = levels[-1][0] / levels[-1][1].clamp(min=1e-6)
    for value, weight in reversed(levels[:-1]):
        larger = F.interpolate(filled, value.shape[-2:], mode="bilinear", align_corners=False)
        filled = value + (1 - weight) * larger
    return filled
