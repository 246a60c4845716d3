"""Connected components of a mask, and distances to the nearest known pixel."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def label_holes(mask: Float[Tensor, "b 1 h w"]) -> Int[Tensor, "b h w"]:
    """Label the 4-connected holes of each image; 0 is known.

    A hole's label is one more than the row-major index of its last pixel. Labels spread along whole rows and columns at
    a time, so a union of squares takes a few rounds instead of one per pixel.
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
    """Give every run of masked pixels along `axis` its largest label."""
    # A plain cumulative maximum would carry labels across known pixels. Adding `step` for each known pixel passed lifts
    # every run above all labels before it, so the maximum restarts there; subtracting the offset restores the labels.
    breaks = (~masked).long().cumsum(axis)
    step = labels.shape[1] * labels.shape[2] + 1  # larger than any label
    forward = (labels + breaks * step).cummax(axis).values - breaks * step
    # The same from the other end: one direction alone misses the pixels before a run's maximum.
    breaks = (breaks.amax(axis, keepdim=True) - breaks).flip(axis)
    backward = (labels.flip(axis) + breaks * step).cummax(axis).values - breaks * step
    return torch.maximum(forward, backward.flip(axis)) * masked


def distance_to_known(mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """City-block distance in pixels from each pixel to the nearest known one; 0 at known pixels.

    In a rectangular hole it is the distance to the nearest side. Without any known pixel it is height plus width.
    """
    height, width = mask.shape[-2:]
    distance = torch.where(mask > 0, float(height + width), 0.0)
    # Along one axis, min over j <= i of distance[j] + (i - j) is a cumulative minimum of distance[j] - j, plus i.
    for axis in (-1, -2):
        index = torch.arange(mask.shape[axis], device=mask.device, dtype=distance.dtype)
        index = index.view(-1, 1) if axis == -2 else index
        forward = (distance - index).cummin(axis).values + index
        backward = ((distance + index).flip(axis).cummin(axis).values).flip(axis) - index
        distance = torch.minimum(forward, backward)
    return distance.clamp(max=height + width)
