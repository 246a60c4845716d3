"""Inpaint one image of any size."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import Resizing, resize, to_bytes, to_signed
from pose_inpaint.data.masks import shrink
from pose_inpaint.errors import InputError
from pose_inpaint.types import EMPTY, Inpainter


def inpaint_image(
    inpainter: Inpainter,
    image: UInt8[Tensor, "3 h w"],
    masked: Bool[Tensor, "h w"],
    size: int | None = None,
    device: torch.device | str = "cpu",
    resizing: Resizing = "antialias",
) -> UInt8[Tensor, "3 h w"]:
    """Inpaint one image and return the raw output at its resolution; raise `InputError` if that is not finite.

    Args:
        inpainter: Inpainting method.
        image: Image in 0..255, (3, h, w).
        masked: Pixels to inpaint, (h, w).
        size: Side of the square that the image is resized to and back from, as in the authors' code. None keeps the
            image's resolution, padded to multiples of the network's stride.
        device: Device of the method.
        resizing: Method of `resize`; a network expects that of its training.
    """
    height, width = image.shape[-2:]
    known = torch.where(masked, torch.full((), EMPTY), to_signed(image))
    if size is not None:
        masked = shrink(masked, size)
        known = torch.where(masked, torch.full((), EMPTY), resize(known, size, size, resizing))
    stride = getattr(inpainter, "stride", 1)
    padded, mask = _pad(known, stride), _pad(masked[None].float(), stride)
    with torch.no_grad():
        raw = inpainter(padded[None].to(device), mask[None].to(device)).raw[0, 0].cpu()
    if not raw.isfinite().all():
        raise InputError("the output has NaN or infinite values; use another model or checkpoint")
    return to_bytes(resize(raw[:, : known.shape[-2], : known.shape[-1]], height, width, resizing))


def _pad(image: Float[Tensor, "c h w"], stride: int) -> Float[Tensor, "c h2 w2"]:
    """Repeat the last row and column up to multiples of `stride`."""
    # Image and mask are both padded this way, so a hole at the edge stays a hole in the padding.
    bottom, right = -image.shape[-2] % stride, -image.shape[-1] % stride
    return F.pad(image[None], (0, right, 0, bottom), mode="replicate")[0] if bottom or right else image
