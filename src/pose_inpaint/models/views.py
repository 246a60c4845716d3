"""Views of a large image: each shows a group of holes with their surroundings at the scale that a network learned."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.models.layers.hole_geometry import label_holes

GRID = 512
"""Largest side of the grid of cells on which holes are told apart."""

SURROUNDINGS = 1.5
"""Least side of a view, as a multiple of its holes' extent."""

LARGEST = 2
"""Side to which larger views are shrunk, and least side of a view, as a multiple of the learned one.

Of 1, 1.25, 1.5 and 2, the least squared error in holes of 40 training photos at 256x256, by the packaged network, which
learned at 128: 0.0321, 0.0325, 0.0324 and 0.0312.
"""

MARGIN = 8
"""Known pixels around the holes, at the network's resolution, from which an enlarged output is corrected."""


@dataclass(frozen=True)
class View:
    """Part of an image that is inpainted by itself.

    Attributes:
        crop: Rows and columns that the network sees.
        box: Rows and columns, within the image, of the view's holes and a margin.
        holes: Pixels of the box that this view fills; other masked pixels belong to other views.
        shape: Height and width in pixels at which the network sees the crop.
    """

    crop: tuple[slice, slice]
    box: tuple[slice, slice]
    holes: Bool[Tensor, "h w"]
    shape: tuple[int, int]


def find_views(masked: Bool[Tensor, "h w"], learned: int) -> Iterator[View]:
    """Divide the holes of an image into views.

    Small holes that are near each other share a view; each hole of more than half the learned side has one of its own.

    Args:
        masked: Pixels to inpaint, (h, w).
        learned: Side in pixels of the images that the network was trained on.
    """
    height, width = masked.shape
    cell = -(-max(height, width) // GRID)
    labels = label_holes(F.max_pool2d(masked[None, None].float(), cell, ceil_mode=True))[0]
    rows, columns = labels.nonzero(as_tuple=True)
    holes, index = torch.unique(labels[rows, columns], return_inverse=True)
    ends = torch.stack([rows, columns, -1 - rows, -1 - columns])  # the largest end is the smallest negative one
    ends = torch.zeros(4, len(holes), dtype=torch.long).scatter_reduce(
        1, index.expand(4, -1), ends, "amin", include_self=False
    )
    top, left, bottom, right = (ends * torch.tensor([[1], [1], [-1], [-1]]) * cell).tolist()
    groups: dict[tuple[int, int, int], list[int]] = {}
    for i in range(len(holes)):
        if max(bottom[i] - top[i], right[i] - left[i]) > learned // 2:
            groups[-1, -1, i] = [i]
        else:  # a tile has half the learned side, so the holes with their centres in it fit into one view
            groups.setdefault(((top[i] + bottom[i]) // learned, (left[i] + right[i]) // learned, -1), []).append(i)
    for members in groups.values():
        up, down = min(top[i] for i in members), min(height, max(bottom[i] for i in members))
        start, stop = min(left[i] for i in members), min(width, max(right[i] for i in members))
        side = max(LARGEST * learned, round(SURROUNDINGS * max(down - up, stop - start)))
        shrinking = LARGEST * learned / side
        crop = _span(up, down, side, height), _span(start, stop, side, width)
        margin = round(MARGIN / shrinking)
        box = _grow(up, down, margin, crop[0]), _grow(start, stop, margin, crop[1])
        cells = torch.isin(labels[_cells(box[0], cell), _cells(box[1], cell)], holes[members])
        inside = cells.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
        inside = inside[box[0].start % cell :, box[1].start % cell :][: _length(box[0]), : _length(box[1])]
        shape = max(1, round(_length(crop[0]) * shrinking)), max(1, round(_length(crop[1]) * shrinking))
        yield View(crop, box, inside & masked[box], shape)


def _span(start: int, stop: int, side: int, end: int) -> slice:
    """Centre `side` pixels on start to stop, moved and cut to 0 to `end`."""
    side = min(side, end)
    begin = min(max((start + stop - side) // 2, 0), end - side)
    return slice(begin, begin + side)


def _grow(start: int, stop: int, margin: int, within: slice) -> slice:
    return slice(max(start - margin, within.start), min(stop + margin, within.stop))


def _cells(pixels: slice, cell: int) -> slice:
    return slice(pixels.start // cell, -(-pixels.stop // cell))


def _length(pixels: slice) -> int:
    return int(pixels.stop - pixels.start)
