"""Sources of masks. Everywhere in the package, 1 (True) = masked and 0 (False) = known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import decode_image, find_light, list_by_stem, stem
from pose_inpaint.data.maskdata import Block, check_blocks, draw_blocks
from pose_inpaint.data.records import Record
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.hashing import digest
from pose_inpaint.types import check_choice


class Masks(Protocol):
    """Source of masks."""

    paths: tuple[Path, ...]
    """Folders and files that the masks are read from, besides the data set's own."""
    varies: bool
    """Whether the masks change with each epoch of training."""

    def uses_maskdata(self, split: str) -> bool:
        """Return whether the images of `split` must have blocks in `maskdata.json`."""
        ...

    def mask(self, record: Record, shape: tuple[int, int], size: int, epoch: int | None) -> Bool[Tensor, "s s"]:
        """Return the mask of an image at the network's resolution; raise `InputError` if it has no usable one.

        Args:
            record: Image to mask.
            shape: Height and width of the image in pixels.
            size: Side of the mask in pixels.
            epoch: Epoch of training for masks that vary; None for validation and test.
        """
        ...


def shrink(masked: Bool[Tensor, "h w"], height: int, width: int) -> Bool[Tensor, "h2 w2"]:
    """Resize a mask; every pixel that a masked one contributes to becomes masked, so that nothing leaks."""
    if masked.shape == (height, width):
        return masked
    return F.interpolate(masked[None, None].float(), (height, width), mode="bilinear", antialias=True)[0, 0] > 0


def shrink_blocks(blocks: Sequence[Block], shape: tuple[int, int], size: int) -> Bool[Tensor, "s s"]:
    """Return `shrink(draw_blocks(blocks, *shape), size, size)`, at the cost of the small mask alone.

    The weights of bilinear resizing are products of those of rows and columns, so that a block stays a rectangle.

    Args:
        blocks: Squares within the image.
        shape: Height and width of the image in pixels.
        size: Side of the mask in pixels.
    """
    if shape == (size, size):
        return draw_blocks(blocks, size, size)
    sides = []
    for axis in (0, 1):
        inside = torch.zeros(len(blocks), shape[axis], dtype=torch.bool)
        for i, block in enumerate(blocks):
            inside[i, block[axis] : block[axis] + block.size] = True
        sides.append(shrink(inside, len(blocks), size))
    rows, columns = sides
    return (rows[:, :, None] & columns[:, None, :]).any(0)


def grow(masked: Bool[Tensor, "h w"], pixels: int) -> Bool[Tensor, "h w"]:
    """Mask every pixel that is at most so many rows and so many columns away from a masked one."""
    for axis in (0, 1) if pixels else ():
        # A window holds a masked pixel if the running count rises inside it; this costs the same for any width.
        count, length = masked.cumsum(axis, dtype=torch.int32), masked.shape[axis]
        index = torch.arange(length)
        last = count.index_select(axis, (index + pixels).clamp(max=length - 1))
        before = count.index_select(axis, (index - pixels - 1).clamp(min=0))
        inside = (index > pixels).view(-1, 1) if axis == 0 else index > pixels
        masked = last > before * inside
    return masked


class MaskData:
    """Masks from the blocks of the data set's `maskdata.json`."""

    paths: tuple[Path, ...] = ()
    varies = False

    def uses_maskdata(self, split: str) -> bool:
        """Return True."""
        return True

    def mask(self, record: Record, shape: tuple[int, int], size: int, epoch: int | None) -> Bool[Tensor, "s s"]:
        """Draw the blocks as at the image's own resolution, and resized."""
        if record.blocks is None:
            way_out = "add one, or draw masks with mask=squares"
            raise InputError(f"{record.path}: maskdata.json has no entry for it; {way_out}")
        try:
            check_blocks(record.blocks, *shape)
        except InputError as error:
            raise InputError(f"{record.path}: in maskdata.json, its {error}; correct or remove it") from error
        return shrink_blocks(record.blocks, shape, size)


class Squares:
    """Random squares, seeded by a digest of seed, image name and epoch.

    Raises `InputError` if an argument is out of range, or a single square may exceed `max_share`.

    Args:
        seed: Random seed of the run.
        count: Smallest and largest number of squares.
        side: Smallest and largest side, as fractions of the image's side, in (0, 1].
        max_share: Largest mask ratio, in (0, 1); squares that would exceed it are left out.
        vary: Whether to draw new squares for each epoch of training.
        evaluate_on: Masks for validation and test: "squares" drawn here, or the data set's "maskdata".
    """

    paths: tuple[Path, ...] = ()

    def __init__(
        self,
        seed: int,
        count: tuple[int, int] = (1, 7),
        side: tuple[float, float] = (0.1, 0.45),
        max_share: float = 0.7,
        *,
        vary: bool = True,
        evaluate_on: Literal["squares", "maskdata"] = "squares",
    ) -> None:
        check_choice("mask.evaluate_on", evaluate_on, Literal["squares", "maskdata"])
        (fewest, most), (shortest, longest) = count, side
        if not (isinstance(fewest, int) and isinstance(most, int) and 1 <= fewest <= most):
            raise InputError(f"mask.count={list(count)}: must be two integers, 1 <= fewest <= most")
        if not 0 < shortest <= longest <= 1:
            raise InputError(f"mask.side={list(side)}: must be two fractions, 0 < shortest <= longest <= 1")
        if not 0 < max_share < 1 or longest**2 > max_share:
            raise InputError(f"mask.max_share={max_share}: must be in (0, 1) and at least max(mask.side)**2")
        self.seed, self.count, self.side, self.max_share = seed, (fewest, most), (shortest, longest), max_share
        self.varies, self.evaluate_on = vary, evaluate_on

    def uses_maskdata(self, split: str) -> bool:
        """Return True for validation and test with `evaluate_on="maskdata"`."""
        return self.evaluate_on == "maskdata" and split != "train"

    def mask(self, record: Record, shape: tuple[int, int], size: int, epoch: int | None) -> Bool[Tensor, "s s"]:
        """Draw squares at the network's resolution, independent of the image's size."""
        if epoch is None and self.evaluate_on == "maskdata" and record.blocks is not None:
            return MaskData().mask(record, shape, size, epoch)
        key = (self.seed, record.name, epoch) if self.varies and epoch is not None else (self.seed, record.name)
        return torch.from_numpy(self._draw(key, size)[1])

    def blocks(self, key: tuple[object, ...], size: int) -> list[Block]:
        """Draw the squares for a key in an image of `size` x `size` pixels: at least one, within `max_share`."""
        return self._draw(key, size)[0]

    def _draw(self, key: tuple[object, ...], size: int) -> tuple[list[Block], Bool[np.ndarray, "s s"]]:
        """Draw the squares, and the mask that they make."""
        draw = np.random.Generator(np.random.PCG64(digest(*key)))
        shortest = max(1, int(self.side[0] * size))
        longest = max(shortest, int(self.side[1] * size))
        pixels, max_share = np.float32(size * size), np.float32(self.max_share)
        masked = np.zeros((size, size), np.bool_)  # NumPy's calls cost a fraction of PyTorch's, which shows here
        blocks: list[Block] = []
        for _ in range(int(draw.integers(*self.count, endpoint=True))):
            side = int(draw.integers(shortest, longest, endpoint=True))
            row = int(draw.integers(0, size - side, endpoint=True))
            column = int(draw.integers(0, size - side, endpoint=True))
            square = masked[row : row + side, column : column + side]
            before = square.copy()
            square[:] = True
            if not blocks or np.float32(np.count_nonzero(masked)) / pixels <= max_share:
                blocks.append(Block(row, column, side))
            else:
                square[:] = before
        return blocks, masked


class MaskFolder:
    """Folder with one mask image per image, of the same stem and size.

    Args:
        root: Folder of the mask images; raises `InputError` if there is no such folder.
        invert: Polarity. False: light (128..255) is masked; True: dark (0..127) is masked.
    """

    varies = False

    def __init__(self, root: str, *, invert: bool = False) -> None:
        self.root, self.invert = Path(root), invert
        self.paths: tuple[Path, ...] = (self.root,)
        if not self.root.is_dir():
            raise InputError(f"mask.root={root}: no such folder; give one with a mask image for each image")
        self.images = list_by_stem(self.root)

    def uses_maskdata(self, split: str) -> bool:
        """Return False."""
        return False

    def mask(self, record: Record, shape: tuple[int, int], size: int, epoch: int | None) -> Bool[Tensor, "s s"]:
        """Threshold the mask image at its own resolution, then resize."""
        path = find_mask(self.images, record.name, self.root)
        masked = read_mask(path, invert=self.invert)
        if masked.shape != shape:
            sizes = f"mask of {masked.shape[0]}x{masked.shape[1]} pixels for an image of {shape[0]}x{shape[1]}"
            raise InputError(f"{path}: {sizes}; make them the same size")
        return shrink(masked, size, size)


def find_mask(masks: dict[str, Path], name: str, folder: Path) -> Path:
    """Return the mask image of the same stem as `name` in `list_by_stem(folder)`."""
    if stem(name) not in masks:
        raise InputError(f"{name}: no mask image {stem(name)}.* in {folder}; add one")
    return masks[stem(name)]


def read_mask(path: Path, *, invert: bool = False) -> Bool[Tensor, "h w"]:
    """Read a mask image: light is masked, or dark with `invert`; `find_light` says what is light."""
    light = torch.from_numpy(decode_image(path, find_light))
    return ~light if invert else light
