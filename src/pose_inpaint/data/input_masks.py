"""Masks for the predict command: from mask images, `maskdata.json`, or black squares in the image."""

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import list_by_stem
from pose_inpaint.data.maskdata import check_blocks, draw_blocks, read_maskdata
from pose_inpaint.data.masks import find_mask, read_mask
from pose_inpaint.errors import InputError

MaskedPixels = Callable[[str, UInt8[Tensor, "3 h w"]], Bool[Tensor, "h w"]]

SMALLEST_BLACK_SQUARE = 4  # pixels; smaller black regions are part of the image


def masked_pixels(source: str, *, invert: bool = False) -> MaskedPixels:
    """Return a function from an image's name and pixels to its mask; raise `InputError` if the source can't be read.

    Args:
        source: "black", a `maskdata.json`, a folder of mask images of the same names, or one mask image for all.
        invert: Polarity of mask images. False: light is masked; True: dark is masked.
    """
    if source == "black":
        return _black
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        return _from_maskdata(path)
    if path.is_dir():
        masks = list_by_stem(path)
        return lambda name, image: _from_image(find_mask(masks, name, path), image, name, invert=invert)
    if path.is_file():
        return lambda name, image: _from_image(path, image, name, invert=invert)
    raise InputError(
        f"mask={source}: no such file or folder; give a folder of mask images, a mask image, a .json, or black"
    )


def find_black(image: UInt8[Tensor, "3 h w"]) -> Bool[Tensor, "h w"]:
    """Find the pixels that belong to a black (0, 0, 0) square of at least 4x4 pixels."""
    side = SMALLEST_BLACK_SQUARE
    if min(image.shape[-2:]) < side:
        return image.amax(0) > 255  # all False
    black = (image.amax(0) == 0).float()[None, None]
    # Erosion, then dilation: keeps every pixel covered by some black square, to the pixel.
    squares = -F.max_pool2d(-black, side, stride=1)  # 1 at the top-left corner of each black square
    return F.max_pool2d(F.pad(squares, (side - 1,) * 4), side, stride=1)[0, 0] > 0


def _black(name: str, image: UInt8[Tensor, "3 h w"]) -> Bool[Tensor, "h w"]:
    masked = find_black(image)
    if not masked.any():
        square = f"black square of at least {SMALLEST_BLACK_SQUARE}x{SMALLEST_BLACK_SQUARE} pixels"
        raise InputError(f"{name}: no {square}; JPEG blurs black, so give mask images instead")
    return _check_known(masked, name)


def _from_maskdata(path: Path) -> MaskedPixels:
    blocks, invalid = read_maskdata(path)
    reasons = dict(invalid)

    def find(name: str, image: UInt8[Tensor, "3 h w"]) -> Bool[Tensor, "h w"]:
        if name not in blocks:
            raise InputError(f"{path}: {name}: {reasons.get(name, 'not listed; add its blocks')}")
        try:
            check_blocks(blocks[name], image.shape[1], image.shape[2])
        except InputError as error:
            raise InputError(f"{path}: {name}: {error}") from error
        return draw_blocks(blocks[name], image.shape[1], image.shape[2])

    return find


def _from_image(path: Path, image: Tensor, name: str, *, invert: bool) -> Bool[Tensor, "h w"]:
    masked = read_mask(path, invert=invert)
    if masked.shape != image.shape[1:]:
        raise InputError(
            f"{name}: its mask {path} has {masked.shape[0]}x{masked.shape[1]} pixels, the image {image.shape[1]}x"
            f"{image.shape[2]}; make them the same size"
        )
    return _check_known(masked, name)


def _check_known(masked: Bool[Tensor, "h w"], name: str) -> Bool[Tensor, "h w"]:
    if masked.all():
        raise InputError(f"{name}: its mask covers the whole image; check mask.invert")
    return masked
