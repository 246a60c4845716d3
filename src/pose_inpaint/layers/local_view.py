"""The local view of a critic: a square around one hole of each picture (Iizuka et al. 2017, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pose_inpaint.errors import InputError
from pose_inpaint.layers.holes import label_holes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int
    from torch import Tensor


def place_views(
    mask: Float[Tensor, "b 1 h w"],
    patch: int,
    names: Sequence[str] | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "b 2"]:
    """Draws one hole of each picture and puts a view on its middle, inside the picture.

    Each hole is as likely as any other. Holes that fill the whole view are passed over, since a critic would find
    nothing there to compare the completion with; where a picture has no other, the view moves to the nearest known
    pixel.

    Args:
        mask: 1 = hidden.
        patch: side of the view in pixels.
        names: of the pictures, for messages.
        generator: the source of randomness, on the CPU; None: PyTorch's own, which a run's seed sets.

    Returns:
        Row and column of each view's top left corner, on the mask's device.

    Raises:
        InputError: the view is larger than the picture, or a picture has no hole or no known pixel.
    """
    height, width = mask.shape[-2:]
    if patch > min(height, width):
        message = (
            f"critic.patch={patch}: larger than the pictures of {height}x{width}; give at most {min(height, width)}"
        )
        raise InputError(message)
    corners = []
    for place, hidden in enumerate(mask[:, 0].cpu() > 0):
        views = hole_views(hidden, patch, f"picture {place}" if names is None else names[place])
        fit = [view for view in views if not is_covered(hidden, view, patch)]
        choices = fit or [_move_to_known(hidden, views[0], patch)]
        corners.append(choices[int(torch.randint(len(choices), (), generator=generator))])
    return torch.tensor(corners, device=mask.device)


def crop(pictures: Float[Tensor, "n c h w"], corners: Int[Tensor, "n 2"], patch: int) -> Float[Tensor, "n c p p"]:
    """The local views: `patch` rows and columns from each corner on."""
    offsets = torch.arange(patch, device=pictures.device)
    rows, columns = corners[:, :1] + offsets, corners[:, 1:] + offsets
    batch = torch.arange(len(pictures), device=pictures.device)
    found: Tensor = pictures[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return found


def hole_views(hidden: Bool[Tensor, "h w"], patch: int, name: str) -> list[tuple[int, int]]:
    """Row and column of a view on the middle of each hole, moved into the picture where it would stand out.

    Raises:
        InputError: the picture has no hole or no known pixel.
    """
    if hidden.all() or not hidden.any():
        lacks = "no known pixel" if hidden.any() else "no hole"
        message = f"{name}: {lacks}, so the critic has no local view of it; leave it out, or take a critic without one"
        raise InputError(message)
    labels = label_holes(hidden[None, None].float())[0]
    numbers = sorted(set(labels.flatten().tolist()) - {0})
    return [_centred(labels == number, patch) for number in numbers]


def is_covered(hidden: Bool[Tensor, "h w"], corner: tuple[int, int], patch: int) -> bool:
    """Whether a view shows no known pixel."""
    row, column = corner
    return bool(hidden[row : row + patch, column : column + patch].all())


def _centred(hole: Tensor, patch: int) -> tuple[int, int]:
    """The view on the middle of a hole's bounding box."""
    rows, columns = hole.any(1).nonzero(), hole.any(0).nonzero()
    return (
        _inside((int(rows[0]) + int(rows[-1]) + 1) // 2 - patch // 2, hole.shape[0], patch),
        _inside((int(columns[0]) + int(columns[-1]) + 1) // 2 - patch // 2, hole.shape[1], patch),
    )


def _inside(start: int, length: int, patch: int) -> int:
    return min(max(start, 0), length - patch)


def _move_to_known(hidden: Tensor, corner: tuple[int, int], patch: int) -> tuple[int, int]:
    """The view moved as little as shows a known pixel."""
    known = (~hidden).nonzero()
    start = torch.tensor(corner)
    moves = (known - (start + patch - 1)).clamp(min=0) + (known - start).clamp(max=0)
    row, column = (start + moves[moves.abs().sum(1).argmin()]).tolist()
    return row, column
