"""Masks for the predict command: from mask images, `maskdata.json`, or black or transparent pixels of the image."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import list_by_stem
from pose_inpaint.data.maskdata import check_blocks, draw_blocks, read_maskdata
from pose_inpaint.data.masks import find_mask, grow, read_mask
from pose_inpaint.data.photos import Photo
from pose_inpaint.errors import InputError

MaskedPixels = Callable[[str, Photo], Bool[Tensor, "h w"]]
Fit = Literal["error", "resize"]

SMALLEST_BLACK_SQUARE = 4  # pixels; smaller black regions are part of the image


def masked_pixels(
    source: str | Sequence[str], *, invert: bool = False, pixels: int = 0, fit: Fit = "error"
) -> MaskedPixels:
    """Return a function from an image's name and content to its mask, which masks some pixels but not all.

    Raises `InputError` if a source can't be read, or `invert` is given without mask images.

    Args:
        source: "black", "alpha", a `maskdata.json`, a folder of mask images of the same names, or one mask image for
            all; or several of these, of which each must have a mask for every image: what any of them masks is masked.
        invert: Polarity of mask images. False: light is masked; True: dark is masked.
        pixels: Pixels by which masks are enlarged on each side.
        fit: Mask images of another size than the image. "error": refuse them; "resize": take the nearest pixels.
    """
    sources = [source] if isinstance(source, str) else source
    if invert and all(each in ("black", "alpha") or each.endswith(".json") for each in sources):
        raise InputError(
            f"mask.invert=true: only mask images have a polarity, not mask={','.join(sources)}; leave it out"
        )
    finders = [_find_masks(each, invert, fit) for each in sources]

    def checked(name: str, photo: Photo) -> Bool[Tensor, "h w"]:
        masked = finders[0](name, photo)
        for find in finders[1:]:
            masked = masked | find(name, photo)
        grown = grow(masked, pixels)
        if masked.any() and grown.all() and not masked.all():
            raise InputError(f"{name}: its mask covers the whole image, grown by mask.grow={pixels}; give less")
        if grown.all() or not grown.any():
            covers = "the whole image" if grown.all() else "nothing"
            raise InputError(f"{name}: its mask covers {covers}; check it, and mask.invert")
        return grown

    return checked


def _find_masks(source: str, invert: bool, fit: Fit) -> MaskedPixels:
    if source == "black":
        return _black
    if source == "alpha":
        return _transparent
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        return _from_maskdata(path)
    if path.is_dir():
        masks = list_by_stem(path)
        return lambda name, photo: _from_image(find_mask(masks, name, path), photo, name, invert, fit)
    if path.is_file():
        return lambda name, photo: _from_image(path, photo, name, invert, fit)
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


def _from_image(path: Path, photo: Photo, name: str, invert: bool, fit: Fit) -> Bool[Tensor, "h w"]:
    masked = read_mask(path, invert=invert)
    height, width = photo.pixels.shape[1:]
    if masked.shape == (height, width):
        return masked
    turned = masked.shape == (width, height)  # drawn over a photo whose EXIF orientation the editor did not apply
    if fit == "error" or turned:
        way_out = "turn it by 90 degrees" if turned else "make them the same size, or give mask.fit=resize"
        raise InputError(
            f"{name}: its mask {path} has {masked.shape[0]}x{masked.shape[1]} pixels, the image {height}x{width}; "
            f"{way_out}"
        )
    return F.interpolate(masked[None, None].float(), (height, width), mode="nearest-exact")[0, 0] > 0


def draw_mask(image: UInt8[Tensor, "3 h w"], masked: Bool[Tensor, "h w"]) -> UInt8[Tensor, "3 h w"]:
    """Lay a mask over an image: masked pixels half red, with a yellow line around each hole, to check its polarity."""
    width = max(1, round(max(masked.shape) / 500))  # still seen when the whole image fits on a screen
    red, yellow = (torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1) for colour in ((255, 0, 0), (255, 255, 0)))
    drawn = torch.where(masked, image // 2 + red // 2 + 1, image)
    return torch.where(grow(masked, width) & ~masked, yellow, drawn)
