"""The challenge's `maskdata.json`: `{"NAME.png": [[row, column, size], ...]}`.

The authors' code calls the numbers of a block x, y and size, but x is the ROW and y the COLUMN of its top-left corner:
rows x..x+size-1 and columns y..y+size-1 are masked.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from pose_inpaint.errors import InputError

EXPECTED = "expected an object NAME -> [[row, column, size], ...]"


class Block(NamedTuple):
    """Masked square, in pixels."""

    row: int
    column: int
    size: int


class MaskDataFault(NamedTuple):
    """Invalid entry of a `maskdata.json`."""

    name: str
    message: str


def read_maskdata(path: Path) -> tuple[dict[str, tuple[Block, ...]], list[MaskDataFault]]:
    """Read each image's blocks, and collect invalid entries; raise `InputError` unless the file is a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; add it, or draw masks with mask=squares") from error
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, numbers of 4301 digits
        raise InputError(f"{path}: not JSON ({error}); {EXPECTED}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; {EXPECTED}")
    valid: dict[str, tuple[Block, ...]] = {}
    invalid = []
    for name, blocks in content.items():
        try:
            valid[name] = parse_blocks(blocks)
        except InputError as error:
            invalid.append(MaskDataFault(name, str(error)))
    return valid, invalid


def parse_blocks(blocks: object) -> tuple[Block, ...]:
    """Convert decoded JSON; raise `InputError` unless it lists triples of integers, corners >= 0 and sizes >= 1."""
    if not isinstance(blocks, list):
        raise InputError(f"{blocks!r} is not a list of blocks [row, column, size]")
    return tuple(_parse_block(block) for block in blocks)


def _parse_block(block: object) -> Block:
    numbers = block if isinstance(block, list) else []
    whole = [n for n in numbers if isinstance(n, int | float) and not isinstance(n, bool) and n == n // 1]
    if len(numbers) != 3 or len(whole) != 3:
        raise InputError(f"block {block!r} is not [row, column, size] in integers")
    row, column, size = (int(n) for n in whole)
    if row < 0 or column < 0:
        raise InputError(f"block {block!r} has a negative corner")
    if size < 1:
        raise InputError(f"block {block!r} has size {size}; the minimum is 1")
    return Block(row, column, size)


def check_blocks(blocks: Sequence[Block], height: int, width: int) -> None:
    """Raise `InputError` if there is no block, or one exceeds an image of `height` x `width` pixels."""
    if not blocks:
        raise InputError("lists no blocks: nothing is masked")
    for block in blocks:
        if block.row + block.size > height or block.column + block.size > width:
            raise InputError(f"block {list(block)} exceeds the image of {height} rows and {width} columns")


def draw_blocks(blocks: Sequence[Block], height: int, width: int) -> Bool[Tensor, "h w"]:
    """Draw a mask that is True inside the blocks."""
    masked = torch.zeros(height, width, dtype=torch.bool)
    for row, column, size in blocks:
        masked[row : row + size, column : column + size] = True
    return masked
