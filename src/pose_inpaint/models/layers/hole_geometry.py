"""What is known about the holes of a mask: which pixels hang together, and how far in each one lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor


def label_holes(mask: Float[Tensor, "b 1 h w"]) -> Int[Tensor, "b h w"]:
    """Numbers the holes: pixels that touch by an edge have one number, different holes different ones; 0 is known.

    A hole's number is one more than the place of its last pixel in reading order. Numbers spread along whole rows and
    columns at a time, so a union of squares takes a few rounds, not one a pixel.
    """
    masked = mask[:, 0] > 0
    height, width = masked.shape[-2:]
    labels = torch.arange(1, height * width + 1, device=mask.device).view(1, height, width) * masked
    while True:
        spread = _spread(_spread(labels, masked, 2), masked, 1)
        if torch.equal(spread, labels):
            return labels
        labels = spread


def _spread(labels: Tensor, masked: Tensor, axis: int) -> Tensor:
    """The largest label of each unbroken run along an axis, in all of it."""
    breaks = (~masked).long().cumsum(axis)  # constant in a run, and rising from run to run
    step = labels.shape[1] * labels.shape[2] + 1
    forward = (labels + breaks * step).cummax(axis).values - breaks * step
    breaks = (breaks.amax(axis, keepdim=True) - breaks).flip(axis)
    backward = (labels.flip(axis) + breaks * step).cummax(axis).values - breaks * step
    return torch.maximum(forward, backward.flip(axis)) * masked


def distance_to_known(mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Steps from each pixel to the nearest known one, up, down, left and right; 0 at known pixels.

    In a rectangular hole that is the distance to its nearest side. In an image without a known pixel it is height plus
    width everywhere.
    """
    height, width = mask.shape[-2:]
    distance = torch.where(mask > 0, float(height + width), 0.0)
    for axis in (-1, -2):
        place = torch.arange(mask.shape[axis], device=mask.device, dtype=distance.dtype)
        place = place.view(-1, 1) if axis == -2 else place
        after = (distance - place).cummin(axis).values + place
        before = ((distance + place).flip(axis).cummin(axis).values).flip(axis) - place
        distance = torch.minimum(after, before)
    return distance.clamp(max=height + width)
