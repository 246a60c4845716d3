"""Image files: reading, conversion and saving."""

import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.optional import import_extra

Resizing = Literal["antialias", "opencv"]

SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".bmp", ".dib", ".webp", ".avif", ".gif", ".tif",
    ".tiff", ".tga", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
"""Extensions of photos that Pillow reads."""
HEIF = frozenset({".heic", ".heif", ".hif"})
"""Extensions of photos that it reads with pillow-heif, which the extra `heif` installs."""

Converted = TypeVar("Converted")

ROUNDING = 1e-3  # by which floating-point pixels may leave their range

DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, Image.DecompressionBombError
)  # fmt: skip
"""Exceptions that Pillow raises for damaged pixels and EXIF data."""


def suffixes() -> frozenset[str]:
    """Return the extensions of the photos that can be read."""
    return SUFFIXES | HEIF if find_spec("pillow_heif") else SUFFIXES


def list_images(folder: Path, *, recursive: bool = False) -> dict[str, Path]:
    """Map names (paths relative to `folder`) to images, sorted; empty if the folder doesn't exist."""
    paths = folder.rglob("*") if recursive else folder.glob("*")
    readable = suffixes()
    images = (path for path in paths if path.suffix.lower() in readable and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path for path in sorted(images)}


def list_others(folder: Path) -> dict[str, Path]:
    """Map names to the files in `folder` and below that are neither images, hidden files nor JSON."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    listed = {*suffixes(), ".json"}
    return {path.relative_to(folder).as_posix(): path for path in paths if path.suffix.lower() not in listed}


def describe_others(names: Iterable[str]) -> str:
    """Join the names of files that are not read as images, and say what reads HEIC."""
    listed = list(names)
    heif = any(PurePosixPath(name).suffix.lower() in HEIF for name in listed)
    return ", ".join(listed) + (" (pip install 'pose-inpaint[heif]' reads HEIC)" if heif else "")


def stem(name: str) -> str:
    """Remove the suffix of an image's name; masks and predictions are matched by the result."""
    return PurePosixPath(name).with_suffix("").as_posix()


def list_by_stem(folder: Path) -> dict[str, Path]:
    """Map stems to the images of `folder` and its subfolders."""
    return {stem(name): path for name, path in list_images(folder, recursive=True).items()}


@contextmanager
def reading(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image file and turn the errors of reading it into one line.

    Args:
        path: Image file.
        content: Bytes of the file, if they are in memory; `path` is then only its name.

    Raises:
        InputError: Missing, empty, damaged or huge file, unknown format, or the body of `with` refuses its pixels.
    """
    try:
        if (path.stat().st_size if content is None else len(content)) == 0:
            raise InputError("empty file (0 bytes); replace or remove it")
        with _open(path, content) as image:
            yield image
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except PermissionError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); change its permissions") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image that Pillow can read; replace or remove it") from error
    except Image.DecompressionBombError as error:
        # "Image size (N pixels) exceeds limit of M pixels, could be decompression bomb DOS attack."
        raise InputError(f"{path}: {str(error).partition(',')[0]}; scale it down, or cut out a part") from error
    except DAMAGED as error:
        if isinstance(error, InputError):  # also a ValueError
            raise InputError(f"{path}: {error}") from error
        raise InputError(f"{path}: damaged or truncated image ({error}); replace or remove it") from error


def _open(path: Path, content: bytes | None) -> Image.Image:
    if path.suffix.lower() in HEIF:
        import_extra("pillow_heif", "HEIC needs pillow-heif", "heif").register_heif_opener()
    return Image.open(path if content is None else BytesIO(content))


def decode_image(path: Path, convert: Callable[[Image.Image], Converted], content: bytes | None = None) -> Converted:
    """Read an image upright, according to its EXIF data, and convert it with a function.

    Args:
        path: Image file.
        convert: Function of the upright image.
        content: As in `reading`.

    Raises:
        InputError: As `reading`, or `convert` refuses its pixels.
    """
    with reading(path, content) as image:
        image.load()
        return convert(ImageOps.exif_transpose(image))


def open_image(path: Path) -> Image.Image:
    """Read an image as 8-bit RGB, upright according to its EXIF data.

    Grey, palette, CMYK and 16-bit images are converted, and images of floating-point numbers in 0..1 or 0..255; an
    alpha channel is dropped.

    Raises:
        InputError: As `decode_image`, or pixels outside these ranges.
    """
    return decode_image(path, to_rgb)


def image_size(path: Path, content: bytes | None = None) -> tuple[int, int]:
    """Return the height and width of the upright image without decoding it; raise `InputError` if it isn't one.

    Args:
        path: Image file.
        content: As in `reading`.
    """
    with reading(path, content) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # 5 to 8 swap rows and columns
        return image.size if turned else image.size[::-1]


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to 8-bit RGB, as `open_image` does."""
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow's own conversion clips at 255
        return Image.fromarray(np.rint(_to_byte_range(image)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:  # Pillow warns about converting these to RGB directly
        image = image.convert("RGBA")
    return image.convert("RGB")


def _to_byte_range(image: Image.Image) -> Float[np.ndarray, "h w"]:
    """Scale floating-point numbers in 0..1 or 0..255, or integers in 0..65535, to 0..255."""
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    if image.mode == "F":
        scale = 255.0 if high <= 1 + ROUNDING else 1.0
        fits = low >= -ROUNDING and (high <= 1 + ROUNDING or 2 < high <= 255 + ROUNDING)
        wanted = "0 to 1 or 0 to 255"
    else:
        # As 16-bit pixels, those of an image with 8 bits in each would all be black.
        scale, fits, wanted = 1 / 257, low >= 0 and (high == 0 or 255 < high <= 65535), "0 to 65535"
    if not fits:
        raise InputError(
            f"pixels of mode {image.mode} from {low:g} to {high:g}, not {wanted}; save it with 8 bits per channel"
        )
    return values * scale


def find_alpha(image: Image.Image) -> UInt8[np.ndarray, "h w"] | None:
    """Return the opacity of an image, 0..255, or None if its mode has none."""
    if not image.has_transparency_data or image.mode.startswith("I"):  # of 16 bits, one grey value may be transparent
        return None
    return np.array(image.convert("RGBA").getchannel("A"))


def find_light(image: Image.Image) -> Bool[np.ndarray, "h w"]:
    """Find the light pixels (128..255) of a mask image, however an editor saved it.

    If the brightest pixels are 1, those are light. If colours are all light or all dark, opaque pixels are light, or
    the second entry of a palette of two.

    Raises:
        InputError: Colours like those of a photo, and transparency: which of them is the mask can't be told.
    """
    values = np.asarray(image)
    in_bytes = image.mode.startswith("I") and values.min() >= 0 and values.max() <= 255
    grey = values if in_bytes else np.array(to_rgb(image).convert("L"))
    light: np.ndarray = grey >= 128 if grey.max() != 1 else grey == 1
    alpha = find_alpha(image)
    others = [alpha >= 128] if alpha is not None else [values == 1] if image.mode == "P" and values.max() == 1 else []
    for other in others:
        if light.all() or not light.any():
            light = light if other.all() or not other.any() else other
        elif alpha is not None and not (other.all() or not other.any()) and np.mean((grey >= 32) & (grey < 224)) > 0.2:
            raise InputError(
                "looks like a photo with transparent pixels, not a mask; if these are its holes, give it as the image, "
                "with mask=alpha"
            )
    return light


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
    return image.to(torch.float32, copy=True).div_(127.5).sub_(1)  # in place: new memory costs more than arithmetic


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
