"""Image files: reading, conversion and saving."""

import struct
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

Resizing = Literal["antialias", "opencv"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})

DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, Image.DecompressionBombError
)  # fmt: skip
"""Exceptions that Pillow raises for damaged pixels and EXIF data."""


def list_images(folder: Path, *, recursive: bool = False) -> dict[str, Path]:
    """Map names (paths relative to `folder`) to images, sorted; empty if the folder doesn't exist."""
    paths = folder.rglob("*") if recursive else folder.glob("*")
    images = (path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path for path in sorted(images)}


def stem(name: str) -> str:
    """Remove the suffix of an image's name; masks and predictions are matched by the result."""
    return PurePosixPath(name).with_suffix("").as_posix()


def list_by_stem(folder: Path) -> dict[str, Path]:
    """Map stems to the images of `folder` and its subfolders."""
    return {stem(name): path for name, path in list_images(folder, recursive=True).items()}


def open_image(path: Path) -> Image.Image:
    """Read an image as 8-bit RGB, upright according to its EXIF data.

    Grey, palette, CMYK and 16-bit images are converted; an alpha channel is dropped. Raises `InputError` for a missing,
    empty or damaged file, or an unknown format.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: empty file (0 bytes); replace or remove it")
        with Image.open(path) as image:
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image that Pillow can read; replace or remove it") from error
    except DAMAGED as error:
        if isinstance(error, InputError):  # also a ValueError
            raise
        raise InputError(f"{path}: damaged or truncated image ({error}); replace or remove it") from error


def image_size(path: Path) -> tuple[int, int]:
    """Return the height and width of the upright image without decoding it; raise `InputError` if it isn't one."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # 5 to 8 swap rows and columns
            return image.size if turned else image.size[::-1]
    except (UnidentifiedImageError, *DAMAGED) as error:
        raise InputError(f"{path}: not an image that can be read ({error}); replace or remove it") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits per pixel; Pillow's own conversion clips at 255
        grey = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise ValueError("has pixels that are not finite")
    if image.mode == "P" and "transparency" in image.info:  # Pillow warns about converting these to RGB directly
        image = image.convert("RGBA")
    return image.convert("RGB")


def read_image(path: Path) -> UInt8[Tensor, "3 h w"]:
    """Read an image with `open_image` as a tensor, 0..255."""
    return to_tensor(open_image(path))


def to_tensor(image: Image.Image) -> UInt8[Tensor, "3 h w"]:
    """Convert an RGB image to a tensor, 0..255."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def to_image(image: UInt8[Tensor, "3 h w"]) -> Image.Image:
    """Convert a tensor, 0..255, to an RGB image."""
    return Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())


def to_signed(image: UInt8[Tensor, "... 3 h w"]) -> Float[Tensor, "... 3 h w"]:
    """Scale 0..255 to [-1, 1]."""
    return image.float() / 127.5 - 1


def to_bytes(image: Float[Tensor, "... 3 h w"]) -> UInt8[Tensor, "... 3 h w"]:
    """Scale [-1, 1] to 0..255, rounded and clipped."""
    return ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_arrays(images: Float[Tensor, "n 3 h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Convert images in [-1, 1] to NumPy arrays, 0..255, channels last."""
    return np.ascontiguousarray(to_bytes(images).permute(0, 2, 3, 1).cpu().numpy())


def to_holes(mask: Float[Tensor, "n 1 h w"]) -> UInt8[np.ndarray, "n h w"]:
    """Convert masks to NumPy arrays, 1 = masked."""
    return mask[:, 0].byte().cpu().numpy()


def from_arrays(images: UInt8[np.ndarray, "... h w 3"]) -> Float[Tensor, "... 3 h w"]:
    """Convert NumPy arrays, 0..255, channels last, to images in [-1, 1]."""
    return to_signed(torch.from_numpy(images).movedim(-1, -3))


def resize(
    image: Float[Tensor, "c h w"], height: int, width: int, method: Resizing = "antialias"
) -> Float[Tensor, "c h2 w2"]:
    """Resize bilinearly, without keeping the aspect ratio.

    Args:
        image: Image in any range; 8-bit values are rounded.
        height: New height in pixels.
        width: New width in pixels.
        method: "antialias": with antialiasing; "opencv": without, as OpenCV's `INTER_LINEAR` in the authors' code.
    """
    if image.shape[-2:] == (height, width):
        return image
    resized: Tensor = transforms.resize(image, [height, width], antialias=method == "antialias")
    return resized


def save_image(image: Image.Image, path: Path) -> None:
    """Write a PNG atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        image.save(part, format="PNG")
