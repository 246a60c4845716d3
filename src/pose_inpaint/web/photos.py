"""Photos and masks as visitors of the demo send them, and images as they see them."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.config.schema import UploadSettings
from pose_inpaint.data.images import decode_image, find_alpha, image_size, to_rgb
from pose_inpaint.data.photos import kept_info
from pose_inpaint.errors import InputError

SHOWN = 1024
"""Longest side in pixels at which photos are shown and painted on."""

PAINT = (255, 0, 128, 160)
"""Colour that masks are painted in, RGB and opacity, each 0..255."""

OPAQUE = 16
"""Least opacity, 0..255, of a painted pixel; what is below is the soft edge of the brush."""

EVERYTHING = "Everything is painted. Leave some of the photo for the model to go by."

MEGABYTE, MEGAPIXEL = 2**20, 10**6


def read_upload(content: bytes, name: str, limits: UploadSettings) -> Image.Image:
    """Decode an uploaded photo, upright, with 8 bits per channel.

    Args:
        content: Bytes of the file.
        name: Name of the file, for messages.
        limits: Largest file and image; an image's size is read before its pixels are.

    Raises:
        InputError: Not an image, damaged, or too large, in words for the visitor.
    """
    if len(content) > limits.megabytes * MEGABYTE:
        size = f"{len(content) / MEGABYTE:.1f} MB"
        raise InputError(f"{name} has {size}, and this page takes {limits.megabytes:g} MB at most. Make it smaller.")
    unreadable = f"{name} is not an image that can be read, or it is damaged. Load a JPEG or PNG file."
    try:
        height, width = image_size(Path(name), content)
    except InputError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise InputError(f"{name} has far too many pixels. Make it smaller.") from error
        raise InputError(unreadable) from error
    pixels = height * width / MEGAPIXEL
    if pixels > limits.megapixels:
        raise InputError(
            f"{name} has {width} x {height} pixels ({pixels:.1f} megapixels), and this page takes "
            f"{limits.megapixels:g} megapixels at most. Make it smaller."
        )
    try:
        return decode_image(Path(name), _to_eight_bits, content)
    except InputError as error:
        raise InputError(unreadable) from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    return to_rgb(image) if find_alpha(image) is None else image.convert("RGBA")


def to_shown(image: Image.Image) -> Image.Image:
    """Shrink a photo to the size at which it is shown, and drop its transparency."""
    scale = min(1.0, SHOWN / max(image.size))
    return image.convert("RGB").resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)


def read_painting(layers: Sequence[bytes], width: int, height: int) -> Bool[Tensor, "h w"]:
    """Find the pixels of a photo that a visitor painted over.

    Args:
        layers: PNG files with transparency, of what was painted on the photo as it was shown.
        width: Width of the photo in pixels.
        height: Height of the photo in pixels.

    Raises:
        InputError: Nothing or everything is painted, or a layer can't be read, in words for the visitor.
    """
    painted = torch.zeros(height, width, dtype=torch.bool)
    for layer in layers:
        small = torch.from_numpy(_read_opacity(layer) >= OPAQUE)
        painted |= F.interpolate(small[None, None].float(), (height, width), mode="nearest-exact")[0, 0] > 0
    if not painted.any():
        raise InputError("Nothing is painted. Paint over what is to be inpainted, or place a square on it.")
    if painted.all():
        raise InputError(EVERYTHING)
    return painted


def _read_opacity(layer: bytes) -> UInt8[np.ndarray, "h w"]:
    try:
        if max(image_size(Path("painting"), layer)) > 4 * SHOWN:
            raise InputError("painting: too large")
        return decode_image(Path("painting"), lambda image: np.array(image.convert("RGBA").getchannel("A")), layer)
    except InputError as error:
        raise InputError("What was painted did not arrive. Try again.") from error


def add_square(layers: Sequence[bytes], size: tuple[int, int], side: float, left: float, top: float) -> bytes:
    """Paint a square over what was painted.

    Args:
        layers: As in `read_painting`; all become one.
        size: Width and height in pixels of the photo as it is shown.
        side: Side of the square as a fraction of the photo's shorter side, in 0..1.
        left: Part of the width beside the square that is at its left, in 0..1.
        top: Part of the height beside the square that is above it, in 0..1.

    Returns:
        The layer as a PNG file.

    Raises:
        InputError: As `read_painting` of a layer that can't be read.
    """
    painting = Image.new("RGBA", size)
    for layer in layers:
        opacity = Image.fromarray(_read_opacity(layer)).resize(size, Image.Resampling.NEAREST)
        painting.paste(PAINT, mask=opacity.point(lambda value: 255 if value >= OPAQUE else 0))
    pixels = max(1, round(side * min(size)))
    column, row = round(left * (size[0] - pixels)), round(top * (size[1] - pixels))
    painting.paste(PAINT, (column, row, column + pixels, row + pixels))
    return encode(painting)


def paint_over(image: Image.Image, layer: bytes) -> Image.Image:
    """Show a layer of `add_square` on a photo of the same size."""
    return Image.alpha_composite(image.convert("RGBA"), Image.open(BytesIO(layer))).convert("RGB")


def encode(image: Image.Image) -> bytes:
    """Encode an image as PNG, with the colour profile and resolution that it has from `read_upload`."""
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1, **kept_info(image))  # higher levels take seconds for a large photo
    return buffer.getvalue()


def to_url(image: Image.Image) -> str:
    """Return an RGB image as the data URL of a JPEG file."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
