"""Contextual attention: features of known places fill masked ones (Yu et al. 2018, section 4).

https://arxiv.org/abs/1801.07892
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

PATCH = 3  # side of the patches that are compared
RATE = 2  # features are compared at this fraction of their resolution, and pasted at the whole of it
LARGEST = 256**2  # pixels of features: an image of 1024x1024, whose scores take 1 GiB each time they are held
SOFTMAX_SCALE = 10.0  # the paper's lambda, by the authors' release
PROPAGATION = 3  # side of the neighbourhood over which scores are summed, by the authors' release


def contextual_attention(
    features: Float[Tensor, "b c h w"], mask: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b c h w"]:
    """Builds each place's features from 4x4 patches of features around known places, weighted by likeness.

    Places are compared at half the resolution, by the cosine of the 3x3 patches around them, which neighbouring places'
    scores then support (`propagate`). Each answer is a weighted mean of known patches, and overlapping answers are
    averaged.

    Args:
        features: h and w even.
        mask: 1 = masked, at the resolution of the features; every image has its own.

    Returns:
        The features anew, everywhere; zeros where an image has no known place at all. In full precision.

    Raises:
        InputError: the image is too large.
    """
    with torch.autocast(features.device.type, enabled=False):  # ten times a score in half precision is no score
        return _attend(features.float() if features.dtype != torch.float64 else features, mask)


def _attend(features: Tensor, mask: Tensor) -> Tensor:
    batch, _, height, width = features.shape
    if height * width > LARGEST:
        side = 4 * int(LARGEST**0.5)
        raise InputError(
            f"image of {4 * height}x{4 * width} pixels: attention compares every place with every other, so give at "
            f"most about {side}x{side}; size=512 works at that and resizes back"
        )
    small = features[:, :, ::RATE, ::RATE]
    size = small.shape[-2:]
    patches = F.unfold(small, PATCH, padding=PATCH // 2)
    keys = patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-4)
    # Places are divided by nothing: longer features mean surer answers, as in the release.
    scores = patches.transpose(1, 2) @ keys
    scores = propagate(scores.view(batch, *size, *size)).reshape(batch, size.numel(), size.numel())
    weights = masked_softmax(scores * SOFTMAX_SCALE, available_places(mask))
    pasted = F.unfold(features, 2 * RATE, stride=RATE, padding=RATE // 2) @ weights.transpose(1, 2)
    answers = F.fold(pasted, (height, width), 2 * RATE, stride=RATE, padding=RATE // 2)
    ones = torch.ones_like(features[:1, :1])
    unfolded = F.unfold(ones, 2 * RATE, stride=RATE, padding=RATE // 2)
    return answers / F.fold(torch.ones_like(unfolded), (height, width), 2 * RATE, stride=RATE, padding=RATE // 2)


def propagate(scores: Float[Tensor, "b h w h2 w2"]) -> Float[Tensor, "b h w h2 w2"]:
    """Attention propagation: adds the scores of equally shifted pairs, along columns, then along rows (equation 4).

    Where a place's neighbour is like a patch's neighbour, the pair becomes likelier: s(x, y, x', y') plus s(x + 1, y,
    x' + 1, y') plus s(x - 1, y, x' - 1, y'), and likewise along y. Nothing is added from beyond the edges.
    """
    for axis in (2, 1):
        length = scores.shape[axis]
        total = scores
        for shift in range(1, min(PROPAGATION // 2, length - 1) + 1):
            for ahead in (shift, -shift):
                total = total + _shifted(scores, axis, ahead)
        scores = total
    return scores


def _shifted(scores: Tensor, axis: int, ahead: int) -> Tensor:
    """s(.. + ahead, .. + ahead) along an axis of places and the same axis of patches; zero beyond the edges."""
    length = scores.shape[axis]
    kept = scores
    for along in (axis, axis + 2):
        kept = kept.narrow(along, max(ahead, 0), length - abs(ahead))
    shifted = torch.zeros_like(scores)
    target = shifted
    for along in (axis, axis + 2):
        target = target.narrow(along, max(-ahead, 0), length - abs(ahead))
    target.copy_(kept)
    return shifted


def available_places(mask: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b n"]:
    """The places whose 3x3 patch is wholly known; where an image has none, those that are known themselves.

    A place is masked if any pixel that it stands for is: with holes all over, the nearest neighbour of the release
    would take masked features for known ones.
    """
    places = F.max_pool2d(mask, RATE)
    whole = F.max_pool2d(places, PATCH, stride=1, padding=PATCH // 2).flatten(1) == 0
    return torch.where(whole.any(1, keepdim=True), whole, places.flatten(1) == 0)


def masked_softmax(scores: Float[Tensor, "b m n"], available: Bool[Tensor, "b n"]) -> Float[Tensor, "b m n"]:
    """Softmax over the available places alone; all zero where there is none."""
    chosen = available[:, None]
    # The lowest finite score rather than minus infinity: a row without any place must not become NaN.
    weights = scores.masked_fill(~chosen, torch.finfo(scores.dtype).min).softmax(-1)
    return weights * chosen
