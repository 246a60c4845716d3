"""Masks for the predict command: from mask images, `maskdata.json`, or black or transparent pixels of the image."""

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import Photo, list_by_stem
from pose_inpaint.data.maskdata import check_blocks, draw_blocks, read_maskdata
from pose_inpaint.data.masks import find_mask, read_mask
from pose_inpaint.errors import InputError

MaskedPixels = Callable[[str, Photo], Bool[Tensor, "h w"]]

SMALLEST_BLACK_SQUARE = 4  # pixels; smaller black regions are part of the image


def masked_pixels(source: str, *, invert: bool = False) -> MaskedPixels:
    """Return a function from an image's name and content to its mask, which masks some pixels but not all.

    Raises `InputError` if the source can't be read, or `invert` is given without mask images.

    Args:
        source: "black", "alpha", a `maskdata.json`, a folder of mask images of the same names, or one mask image for
            all.
        invert: Polarity of mask images. False: light is masked; True: dark is masked.
    """
    find = _find_masks(source, invert=invert)

    def checked(name: str, photo: Photo) -> Bool[Tensor, "h w"]:
        masked = find(name, photo)
        if masked.all() or not masked.any():
            covers = "the whole image" if masked.all() else "nothing"
            raise InputError(f"{name}: its mask covers {covers}; check it, and mask.invert")
        return masked

    return checked


def _find_masks(source: str, *, invert: bool) -> MaskedPixels:
    if invert and (source in ("black", "alpha") or source.endswith(".json")):
        raise InputError(f"mask.invert=true: only mask images have a polarity, not mask={source}; leave it out")
    if source == "black":
        return _black
    if source == "alpha":
        return _transparent
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        return _from_maskdata(path)
    if path.is_dir():
        masks = list_by_stem(path)
        return lambda name, photo: _from_image(find_mask(masks, name, path), photo, name, invert=invert)
    if path.is_file():
        return lambda name, photo: _from_image(path, photo, name, invert=invert)
    raise InputError(
        f"mask={source}: no such file or folder; give a folder of mask images, a mask image, a .json, alpha or black"
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


def _black(name: str, photo: Photo) -> Bool[Tensor, "h w"]:
    masked = find_black(photo.pixels)
    if not masked.any():
        reason = "JPEG blurs black, so give mask images instead"
        if photo.alpha is not None:
            reason = "it has transparent pixels; give mask=alpha if those are its holes"
        raise InputError(
            f"{name}: no black square of at least {SMALLEST_BLACK_SQUARE}x{SMALLEST_BLACK_SQUARE} pixels; {reason}"
        )
    return masked


def _transparent(name: str, photo: Photo) -> Bool[Tensor, "h w"]:
    if photo.alpha is None:
        raise InputError(f"{name}: no transparent pixel; erase the holes, or give mask images instead")
    return photo.alpha < 255  # partly transparent ones at a hole's edge are mixed with what was erased


def _from_maskdata(path: Path) -> MaskedPixels:
    blocks, invalid = read_maskdata(path)
    reasons = dict(invalid)

    def find(name: str, photo: Photo) -> Bool[Tensor, "h w"]:
        shape = (photo.pixels.shape[1], photo.pixels.shape[2])
        if name not in blocks:
            raise InputError(f"{path}: {name}: {reasons.get(name, 'not listed; add its blocks')}")
        try:
            check_blocks(blocks[name], *shape)
        except InputError as error:
            raise InputError(f"{path}: {name}: {error}") from error
        return draw_blocks(blocks[name], *shape)

    return find


def _from_image(path: Path, photo: Photo, name: str, *, invert: bool) -> Bool[Tensor, "h w"]:
    masked = read_mask(path, invert=invert)
    height, width = photo.pixels.shape[1:]
    if masked.shape != (height, width):
        raise InputError(
            f"{name}: its mask {path} has {masked.shape[0]}x{masked.shape[1]} pixels, the image {height}x{width}; make "
            "them the same size"
        )
    return masked
