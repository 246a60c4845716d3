"""Pictures in and out of files."""

from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torchvision.transforms.v2 import functional as transforms

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from torch import Tensor

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})

ORIENTATION = 0x0112  # EXIF

DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, Image.DecompressionBombError
)  # fmt: skip
"""What Pillow raises on damaged pixels and EXIF data."""


def list_pictures(folder: Path, *, recursive: bool = False) -> dict[str, Path]:
    """Pictures of `folder` by name (the path below it), in the names' order; empty where there is no such folder."""
    found = folder.rglob("*") if recursive else folder.glob("*")
    pictures = (path for path in found if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path for path in sorted(pictures)}


def stem(name: str) -> str:
    """A picture's name without its ending, by which masks and predictions are matched with it."""
    return PurePosixPath(name).with_suffix("").as_posix()


def list_by_stem(folder: Path) -> dict[str, Path]:
    """Pictures of `folder` and those below it by `stem`."""
    return {stem(name): path for name, path in list_pictures(folder, recursive=True).items()}


def open_picture(path: Path) -> Image.Image:
    """Reads a picture of any mode Pillow knows as 8-bit RGB, turned upright as its EXIF data say.

    Grey, palette, CMYK and 16-bit pictures are converted; an alpha channel is dropped.

    Raises:
        InputError: no such file, an empty, damaged or unknown one.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file (0 bytes); replace or remove it")
        with Image.open(path) as picture:
            picture.load()
            return _to_rgb(ImageOps.exif_transpose(picture))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a picture that Pillow knows; replace or remove it") from error
    except DAMAGED as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged or truncated picture ({error}); replace or remove it") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels, upright, without reading the pixels.

    Raises:
        InputError: no such file, or not a picture.
    """
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(ORIENTATION, 1) >= 5  # 5 to 8 lie on their side
            width, height = picture.size
            return (width, height) if turned else (height, width)
    except (UnidentifiedImageError, *DAMAGED) as error:
        raise InputError(f"{path}: not a picture that can be read ({error}); replace or remove it") from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion would clip at 255
        grey = np.asarray(picture).astype(np.float64) / 257
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode == "F" and not np.isfinite(np.asarray(picture)).all():
        raise ValueError("has pixels that are not finite")
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def read_picture(path: Path) -> UInt8[Tensor, "3 h w"]:
    """`open_picture` as a tensor, 0..255."""
    return to_tensor(open_picture(path))


def to_tensor(picture: Image.Image) -> UInt8[Tensor, "3 h w"]:
    """An RGB picture as a tensor, 0..255."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def to_image(picture: UInt8[Tensor, "3 h w"]) -> Image.Image:
    """A tensor, 0..255, as an RGB picture."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())


def to_signed(picture: UInt8[Tensor, "... 3 h w"]) -> Float[Tensor, "... 3 h w"]:
    """From 0..255 to [-1, 1]."""
    return picture.float() / 127.5 - 1


def to_bytes(picture: Float[Tensor, "... 3 h w"]) -> UInt8[Tensor, "... 3 h w"]:
    """From [-1, 1] to 0..255, rounded to the nearest and clipped."""
    return ((picture + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_arrays(pictures: Float[Tensor, "n 3 h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    """A batch as other libraries take pictures: 0..255, colours last, on the CPU."""
    return np.ascontiguousarray(to_bytes(pictures).permute(0, 2, 3, 1).cpu().numpy())


def from_arrays(pictures: UInt8[np.ndarray, "... h w 3"]) -> Float[Tensor, "... 3 h w"]:
    """The way back, to [-1, 1]."""
    return to_signed(torch.from_numpy(pictures).movedim(-1, -3))


def resize(picture: Float[Tensor, "c h w"], height: int, width: int) -> Float[Tensor, "c h2 w2"]:
    """Bilinear with antialiasing; the aspect ratio is not kept (the release resizes so). As it is if it fits."""
    if picture.shape[-2:] == (height, width):
        return picture
    resized: Tensor = transforms.resize(picture, [height, width], antialias=True)
    return resized


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        picture.save(part, format="PNG")
