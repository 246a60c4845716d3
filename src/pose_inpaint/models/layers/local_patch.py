"""Local patches of a discriminator: one square around a hole per image (Iizuka et al. 2017, section 3.3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.hole_geometry import label_holes


def place_patches(
    mask: Float[Tensor, "b 1 h w"],
    patch: int,
    names: Sequence[str] | None = None,
    generator: torch.Generator | None = None,
    key: str = "discriminator.patch",
) -> Int[Tensor, "b 2"]:
    """Draw one hole per image, all equally likely, and centre a local patch on it, inside the image.

    Raises `InputError` if the patch is larger than the image, or an image has no hole or no known pixel.

    Args:
        mask: Mask (b, 1, h, w), 1 = masked.
        patch: Side of the patch in pixels.
        names: Names of the images, for error messages.
        generator: Random generator on the CPU. None uses PyTorch's global one.
        key: Setting of the patch's side, for error messages.

    Returns:
        Row and column of each patch's top left corner, (b, 2), on the mask's device.
    """
    height, width = mask.shape[-2:]
    if patch > min(height, width):
        most = min(height, width)
        raise InputError(f"{key}={patch}: larger than the images of {height}x{width}; give at most {most}")
    corners = []
    for i, patches in enumerate(hole_patches(mask, patch, names)):
        # A patch without known pixels gives the discriminator no context to compare the output with: draw among the
        # others, or, if there are none, move the first patch to the nearest known pixel.
        choices = [corner for corner, covered in patches if not covered]
        choices = choices or [_move_to_known(mask[i, 0].cpu() > 0, patches[0][0], patch)]
        corners.append(choices[int(torch.randint(len(choices), (), generator=generator))])
    return torch.tensor(corners, device=mask.device)


def crop(
    images: Float[Tensor, "n c h w"], corners: Int[Tensor, "n 2"] | None, patch: int | None
) -> Float[Tensor, "n c p p"]:
    """Crop the local patches: `patch` rows and columns starting at each corner; raise `InputError` without corners."""
    if corners is None or patch is None:
        raise InputError("discriminator: a local patch needs corners, but none were given")
    offsets = torch.arange(patch, device=images.device)
    rows, columns = corners[:, :1] + offsets, corners[:, 1:] + offsets
    batch = torch.arange(len(images), device=images.device)
    # The slice between index tensors moves the channels to the end, hence the permutation.
    patches: Tensor = images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return patches


def hole_patches(
    mask: Float[Tensor, "b 1 h w"], patch: int, names: Sequence[str] | None = None
) -> list[list[tuple[tuple[int, int], bool]]]:
    """List the patch of every hole per image: its top left corner, and whether it holds masked pixels only.

    Patches are centred on the hole's pixel nearest to the middle of its bounding box, and moved inside the image.
    Raises `InputError` for an image without a hole or known pixel.
    """
    masked = mask[:, 0] > 0
    for i, ratio in enumerate(masked.flatten(1).float().mean(1).tolist()):
        if ratio in (0, 1):
            name = f"image {i}" if names is None else names[i]
            lacks = "no known pixel" if ratio else "no hole"
            raise InputError(
                f"{name}: {lacks}, so there is no local patch; remove the image, or choose a discriminator without one"
            )
    starts = (_middles(label_holes(mask)) - torch.tensor([0, patch // 2, patch // 2], device=mask.device)).T
    height, width = masked.shape[-2:]
    image, row, column = starts[0], starts[1].clamp(0, height - patch), starts[2].clamp(0, width - patch)
    # Summed-area table: the number of masked pixels in any patch is a combination of its four corners.
    sums = F.pad(masked.double().cumsum(1).cumsum(2), (1, 0, 1, 0))
    bottom, right = row + patch, column + patch
    count = sums[image, bottom, right] - sums[image, row, right] - sums[image, bottom, column]
    covered = count + sums[image, row, column] == patch**2
    patches: list[list[tuple[tuple[int, int], bool]]] = [[] for _ in masked]
    for i, r, c, full in torch.stack([image, row, column, covered.long()], dim=1).tolist():  # one copy to the CPU
        patches[i].append(((r, c), bool(full)))
    return patches


def _middles(labels: Int[Tensor, "b h w"]) -> Int[Tensor, "n 3"]:
    """Image, row and column of each hole's pixel nearest to the middle of its bounding box, sorted by image."""
    height, width = labels.shape[-2:]
    pixels = labels.nonzero()
    image, positions = pixels[:, 0], pixels[:, 1:]
    # Labels are unique within an image; the offset makes them unique within the batch.
    numbers, hole = torch.unique(image * (height * width + 1) + labels[labels > 0], return_inverse=True)
    index = hole[:, None].expand(-1, 2)
    corners = positions.new_zeros(len(numbers), 2)
    first, last = (corners.scatter_reduce(0, index, positions, m, include_self=False) for m in ("amin", "amax"))
    middle = (first + last + 1) // 2
    distance = (positions - middle[hole]).square().sum(1)
    # A segmented argmin: each key holds distance and pixel index, so the minimum's remainder is the nearest pixel.
    key = distance * len(pixels) + torch.arange(len(pixels), device=labels.device)
    nearest = key.new_zeros(len(numbers)).scatter_reduce(0, hole, key, "amin", include_self=False) % len(pixels)
    return pixels[nearest]


def _move_to_known(masked: Tensor, corner: tuple[int, int], patch: int) -> tuple[int, int]:
    """Move a patch by the fewest pixels that bring a known pixel into it."""
    known, start = (~masked).nonzero(), torch.tensor(corner)
    moves = (known - (start + patch - 1)).clamp(min=0) + (known - start).clamp(max=0)
    row, column = (start + moves[moves.abs().sum(1).argmin()]).tolist()
    return row, column
