"""Contextual attention: features of known positions fill masked ones (Yu et al. 2018, section 4).

https://arxiv.org/abs/1801.07892
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.errors import InputError

PATCH = 3  # side of the compared patches
RATE = 2  # features are compared at 1/RATE of their resolution and pasted at full resolution
LARGEST = 256**2  # positions of a 1024x1024 image, whose scores take 1 GiB per copy
SOFTMAX_SCALE = 10.0  # the paper's lambda (authors' code)


def contextual_attention(
    features: Float[Tensor, "b c h w"], mask: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b c h w"]:
    """Rebuild the features at every position from 4x4 patches around known positions, weighted by similarity.

    Positions are compared at half the resolution by the 3x3 patches around them, and neighbouring scores are added
    (`propagate`). Overlapping patches are averaged. Raises `InputError` if the image is too large.

    Args:
        features: Features (b, c, h, w), h and w even.
        mask: Mask at the features' resolution, (b, 1, h, w), 1 = masked.

    Returns:
        New features (b, c, h, w) in full precision; zeros for an image without a known position.
    """
    batch, _, height, width = features.shape
    if height * width > LARGEST:
        side = 4 * int(LARGEST**0.5)
        raise InputError(
            f"image of {4 * height}x{4 * width} pixels: attention compares every position with every other, so give "
            f"at most about {side}x{side} pixels, or size=512 to inpaint at 512x512 and resize back"
        )
    patch_of = {"kernel_size": 2 * RATE, "stride": RATE, "padding": RATE // 2}
    # Half precision rounds scores too coarsely for a softmax that scales them by 10.
    with torch.autocast(features.device.type, enabled=False):
        features = features if features.dtype == torch.float64 else features.float()
        small = features[:, :, ::RATE, ::RATE]
        size = small.shape[-2:]
        patches = F.unfold(small, PATCH, padding=PATCH // 2)
        # Only the keys are normalised, as in the authors' code: queries with larger features get sharper weights.
        scores = patches.transpose(1, 2) @ (patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-4))
        scores = propagate(scores.view(batch, *size, *size)).flatten(3).flatten(1, 2)
        weights = masked_softmax(scores * SOFTMAX_SCALE, available_places(mask))
        pasted = F.unfold(features, **patch_of) @ weights.transpose(1, 2)
        # Folding ones counts how many patches overlap at each position.
        overlaps = F.fold(torch.ones_like(pasted[:1, : (2 * RATE) ** 2]), (height, width), **patch_of)
        return F.fold(pasted, (height, width), **patch_of) / overlaps


def propagate(scores: Float[Tensor, "b h w h2 w2"]) -> Float[Tensor, "b h w h2 w2"]:
    """Propagate attention: add the scores of equally shifted pairs along columns, then along rows (equation 4).

    s(x, y, x', y') becomes s(x, y, x', y') + s(x + 1, y, x' + 1, y') + s(x - 1, y, x' - 1, y'), then the same along y.
    Pairs beyond the edges count as zero. The neighbourhood of 3x3 pairs is that of the authors' code.
    """
    # Query and key move together, which favours copying connected regions. Two passes of 3 terms give the sum over the
    # 3x3 neighbourhood: the second pass adds scores that already hold their neighbours along the first axis.
    for axis in (2, 1):
        scores = scores + _shifted(scores, axis, 1) + _shifted(scores, axis, -1)
    return scores


def _shifted(scores: Tensor, axis: int, ahead: int) -> Tensor:
    """Shift the scores by `ahead` along the query's `axis` and the key's (`axis + 2`), with zeros beyond the edges."""
    pair, none = (-ahead, ahead), (0, 0)  # padding before and after an axis; negative padding crops
    return F.pad(scores, (*none, *pair, *none, *pair) if axis == 1 else (*pair, *none, *pair, *none))


def available_places(mask: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b n"]:
    """Mark the positions whose whole 3x3 patch is known or, in an image without any, all known positions."""
    # Max pooling masks a position if any of its pixels is masked. The authors' nearest-neighbour resize would treat
    # masked features as known ones where holes are scattered.
    places = F.max_pool2d(mask, RATE)
    whole = F.max_pool2d(places, PATCH, stride=1, padding=PATCH // 2).flatten(1) == 0
    return whole | (~whole.any(1, keepdim=True) & (places.flatten(1) == 0))


def masked_softmax(scores: Float[Tensor, "b m n"], available: Bool[Tensor, "b n"]) -> Float[Tensor, "b m n"]:
    """Softmax over the available positions only; all zero where there are none."""
    chosen = available[:, None]
    # The lowest finite score instead of minus infinity: a row without available positions must not become NaN.
    weights = scores.masked_fill(~chosen, torch.finfo(scores.dtype).min).softmax(-1)
    return weights * chosen
