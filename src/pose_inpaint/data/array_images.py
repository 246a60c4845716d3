"""Images and masks as Python callers have them: PIL images, NumPy arrays and tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image
from torch import Tensor

from pose_inpaint.data.images import ROUNDING, find_alpha, find_light, to_image, to_rgb, to_tensor
from pose_inpaint.errors import InputError

AnyImage: TypeAlias = Image.Image | np.ndarray | Tensor
"""A PIL image; an array (h, w, 3), (h, w, 1) or (h, w); or a tensor (3, h, w), (1, h, w) or (h, w).

Arrays and tensors hold 0 to 255 as uint8, or 0 to 1 as floating-point numbers.
"""


@dataclass(frozen=True)
class ReadImage:
    """An image that was read from a caller's object.

    Attributes:
        original: The caller's object.
        pixels: Colours, 0..255, (3, h, w).
        alpha: Opacity, 0..255, (h, w), of PIL images that have it, or None.
        not_a_number: Pixels with NaN or infinite values, (h, w), or None.
    """

    original: AnyImage
    pixels: UInt8[Tensor, "3 h w"]
    alpha: UInt8[Tensor, "h w"] | None = None
    not_a_number: Bool[Tensor, "h w"] | None = None


def split_batch(images: Any, *, mask: bool = False) -> list[Any] | None:
    """Return the items of a batch, or None if `images` is one image or mask.

    Args:
        images: A list or tuple; an array (n, h, w, c) or a tensor (n, c, h, w); for masks also (n, h, w).
        mask: Whether these are masks.
    """
    if isinstance(images, Sequence) and not isinstance(images, str):
        return list(images)
    if isinstance(images, np.ndarray | Tensor):
        # A mask of three axes is a batch, unless one axis has length 1, as a channel has.
        channel = images.ndim == 3 and images.shape[0 if isinstance(images, Tensor) else -1] == 1
        if images.ndim == 4 or (mask and images.ndim == 3 and not channel):
            return list(images)
    return None


def read_any(image: AnyImage) -> ReadImage:
    """Read one image.

    Raises:
        InputError: Another type, shape or range of values, or no pixels.
    """
    if isinstance(image, Image.Image):
        alpha = find_alpha(image)
        return ReadImage(image, to_tensor(to_rgb(image)), None if alpha is None else torch.from_numpy(alpha))
    values = _channels_first(image, "image")
    if values.shape[0] not in (1, 3):
        raise InputError(f"image of shape {tuple(image.shape)}: give {_wanted(image)}")
    if not values.is_floating_point():
        if values.dtype != torch.uint8:
            raise InputError(f"image of type {values.dtype}: give uint8 in 0..255 or floating-point numbers in 0..1")
        if values.max() == 1:
            raise InputError("image of type uint8 whose largest value is 1: multiply it by 255, or give float")
        return ReadImage(image, values.expand(3, -1, -1).contiguous())
    finite = values.isfinite()
    low, high = (float(bound) for bound in values[finite].aminmax()) if finite.any() else (0.0, 0.0)
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"image of floating-point numbers from {low:g} to {high:g}: give 0 to 1; divide 0..255 by 255, or map "
            "[-1, 1] by x / 2 + 0.5"
        )
    pixels = torch.where(finite, values, 0).mul(255).round().clamp(0, 255).byte().expand(3, -1, -1).contiguous()
    return ReadImage(image, pixels, None, None if finite.all() else ~finite.all(0))


def read_any_mask(mask: AnyImage) -> Bool[Tensor, "h w"]:
    """Read one mask; True is masked.

    Arrays and tensors mask where they are True, 1, or at least half of their range; PIL images as `find_light` says.

    Raises:
        InputError: Another type or shape, or NaN.
    """
    if isinstance(mask, Image.Image):
        return torch.from_numpy(find_light(mask))
    values = _channels_first(mask, "mask")
    if values.shape[0] != 1 and not torch.equal(values, values[:1].expand_as(values)):
        raise InputError(f"mask of shape {tuple(mask.shape)}: give one channel, (h, w)")
    if not values.isfinite().all():
        raise InputError("mask: has NaN or infinite values; give True or 1 where the image is to be inpainted")
    values = values[0]
    if values.dtype == torch.bool or values.max() <= 1:
        return values >= 0.5 if values.is_floating_point() else values > 0
    return values >= 128


def write_like(read: ReadImage, output: UInt8[Tensor, "3 h w"], masked: Bool[Tensor, "h w"]) -> Any:
    """Convert an output to the kind of the image that was read; pixels that did not change keep their exact values.

    Args:
        read: Image that was read.
        output: Output, 0..255, (3, h, w).
        masked: Pixels that were inpainted; the others may differ from the image where the output was faded into it.
    """
    changed = masked | (output != read.pixels).any(0)
    if isinstance(read.original, Image.Image):
        return _like_pil(read, output, changed)
    values = _channels_first(read.original, "image")
    new = output.float() / 255 if values.is_floating_point() else output
    if values.shape[0] == 1:
        new = new.float().mean(0, keepdim=True) if values.is_floating_point() else to_grey(output)
    merged = torch.where(changed, new.to(values), values)
    if isinstance(read.original, Tensor):
        return merged.view(read.original.shape).to(read.original.device)
    return np.ascontiguousarray(merged.permute(1, 2, 0).numpy()).reshape(read.original.shape)


def to_grey(image: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "1 h w"]:
    """Return the luminance of an image, as Pillow computes it."""
    return torch.from_numpy(np.array(to_image(image).convert("L")))[None]


def _like_pil(read: ReadImage, output: UInt8[Tensor, "3 h w"], changed: Bool[Tensor, "h w"]) -> Image.Image:
    original = read.original
    assert isinstance(original, Image.Image)
    new = to_image(output)
    if original.mode in ("L", "LA"):
        new = new.convert("L")
        new.paste(original.convert("L"), mask=Image.fromarray((~changed).numpy()))  # not rounded twice
    if read.alpha is not None:
        new.putalpha(Image.fromarray(read.alpha.masked_fill(changed, 255).numpy()))
    new.info = {key: value for key, value in original.info.items() if key != "transparency"}
    return new


def _channels_first(image: np.ndarray | Tensor, what: str) -> Tensor:
    """View an array or tensor as (c, h, w) on the CPU."""
    if isinstance(image, np.ndarray):
        try:
            values = torch.from_numpy(np.array(image))  # PyTorch warns about arrays that can't be written
        except TypeError as error:
            raise InputError(f"{what} of type {image.dtype}: give uint8, bool or floating-point numbers") from error
        values = values.permute(2, 0, 1) if values.ndim == 3 else values
    elif isinstance(image, Tensor):
        values = image.detach().cpu()
    else:
        raise InputError(f"{what}: {type(image).__name__}; give a PIL image, a NumPy array or a tensor")
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or not values.numel():
        raise InputError(f"{what} of shape {tuple(image.shape)}: give {_wanted(image)}")
    return values


def _wanted(image: np.ndarray | Tensor) -> str:
    shape = "(3, h, w)" if isinstance(image, Tensor) else "(h, w, 3)"
    return f"{shape} in colour, or (h, w) in grey"
