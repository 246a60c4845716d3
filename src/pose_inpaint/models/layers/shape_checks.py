"""Checks of a convolutional network's width and input size."""

from torch import Tensor

from pose_inpaint.errors import InputError


def check_even_width(width: int, papers: int) -> None:
    """Raise `InputError` unless `width` is even, so that a generator's last block can halve it."""
    if width < 2 or width % 2:
        raise InputError(f"model.width={width}: must be an even number of at least 2 (the paper's is {papers})")


def check_sides(images: Tensor, stride: int) -> None:
    """Raise `InputError` unless both sides of images (..., h, w) are multiples of `stride`."""
    height, width = images.shape[-2:]
    if height % stride or width % stride:
        raise InputError(f"image of {height}x{width} pixels: both sides must be multiples of {stride}")
