"""The local patch of a discriminator: a square around one hole of each image (Iizuka et al. 2017, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.hole_geometry import label_holes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int
    from torch import Tensor


def place_patches(
    mask: Float[Tensor, "b 1 h w"],
    patch: int,
    names: Sequence[str] | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "b 2"]:
    """Draws one hole of each image and puts a view on its middle, inside the image.

    Each hole is as likely as any other. Holes that fill the whole view are passed over, since a discriminator would
    find nothing there to compare the output with; where an image has no other, the view moves to the nearest known
    pixel.

    Args:
        mask: 1 = masked.
        patch: side of the view in pixels.
        names: of the images, for messages.
        generator: the source of randomness, on the CPU; None: PyTorch's own, which a run's seed sets.

    Returns:
        Row and column of each view's top left corner, on the mask's device.

    Raises:
        InputError: the view is larger than the image, or an image has no hole or no known pixel.
    """
    height, width = mask.shape[-2:]
    if patch > min(height, width):
        raise InputError(
            f"discriminator.patch={patch}: larger than the images of {height}x{width}; give at most "
            f"{min(height, width)}"
        )
    views = hole_patches(mask, patch, names)
    fit = [[corner for corner, covered in own if not covered] for own in views]
    corners = []
    for place, own in enumerate(views):
        choices = fit[place] or [_move_to_known(mask[place, 0].cpu() > 0, own[0][0], patch)]
        corners.append(choices[int(torch.randint(len(choices), (), generator=generator))])
    return torch.tensor(corners, device=mask.device)


def crop(images: Float[Tensor, "n c h w"], corners: Int[Tensor, "n 2"], patch: int) -> Float[Tensor, "n c p p"]:
    """The local patches: `patch` rows and columns from each corner on."""
    offsets = torch.arange(patch, device=images.device)
    rows, columns = corners[:, :1] + offsets, corners[:, 1:] + offsets
    batch = torch.arange(len(images), device=images.device)
    found: Tensor = images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return found


def hole_patches(
    mask: Float[Tensor, "b 1 h w"], patch: int, names: Sequence[str] | None = None
) -> list[list[tuple[tuple[int, int], bool]]]:
    """Of each image's holes: row and column of the view on its middle, and whether the hole covers all of it.

    The middle is that of the hole's bounding box or, where the hole winds round it, the hole's pixel nearest to it. A
    view that would stand out of the image is moved inside. All is computed on the mask's device at once.

    Raises:
        InputError: an image has no hole or no known pixel.
    """
    masked = mask[:, 0] > 0
    for place, share in enumerate(masked.flatten(1).float().mean(1).tolist()):
        if share in (0, 1):
            name = f"image {place}" if names is None else names[place]
            lacks = "no known pixel" if share else "no hole"
            raise InputError(
                f"{name}: {lacks}, so the discriminator has no local patch of it; leave it out, or take a "
                "discriminator "
                "without one"
            )
    starts = (_middles(label_holes(mask)) - torch.tensor([0, patch // 2, patch // 2], device=mask.device)).T
    height, width = masked.shape[-2:]
    image, row, column = starts[0], starts[1].clamp(0, height - patch), starts[2].clamp(0, width - patch)
    # Masked pixels above and to the left of each pixel: four of them tell how many a view holds.
    sums = F.pad(masked.double().cumsum(1).cumsum(2), (1, 0, 1, 0))
    bottom, right = row + patch, column + patch
    count = sums[image, bottom, right] - sums[image, row, right] - sums[image, bottom, column]
    covered = count + sums[image, row, column] == patch**2
    found: list[list[tuple[tuple[int, int], bool]]] = [[] for _ in masked]
    for place, r, c, full in torch.stack([image, row, column, covered.long()], dim=1).tolist():
        found[place].append(((r, c), bool(full)))
    return found


def _middles(labels: Int[Tensor, "b h w"]) -> Int[Tensor, "n 3"]:
    """Image, row and column of the middle of each hole, image by image."""
    height, width = labels.shape[-2:]
    pixels = labels.nonzero()
    image, places = pixels[:, 0], pixels[:, 1:]
    numbers, hole = torch.unique(image * (height * width + 1) + labels[labels > 0], return_inverse=True)
    index = hole[:, None].expand(-1, 2)
    ends = [
        places.new_zeros(len(numbers), 2).scatter_reduce(0, index, places, m, include_self=False)
        for m in ("amin", "amax")
    ]
    middle = (ends[0] + ends[1] + 1) // 2
    distance = (places - middle[hole]).square().sum(1)
    key = distance * len(pixels) + torch.arange(len(pixels), device=labels.device)
    nearest = key.new_zeros(len(numbers)).scatter_reduce(0, hole, key, "amin", include_self=False) % len(pixels)
    return pixels[nearest]


def _move_to_known(masked: Tensor, corner: tuple[int, int], patch: int) -> tuple[int, int]:
    """The view moved as little as shows a known pixel."""
    known = (~masked).nonzero()
    start = torch.tensor(corner)
    moves = (known - (start + patch - 1)).clamp(min=0) + (known - start).clamp(max=0)
    row, column = (start + moves[moves.abs().sum(1).argmin()]).tolist()
    return row, column
