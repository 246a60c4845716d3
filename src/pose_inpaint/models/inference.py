"""Inpaint one image of any size."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from pose_inpaint.data.images import Resizing, resize, to_bytes, to_signed
from pose_inpaint.data.masks import shrink
from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.hole_geometry import distance_to_known
from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.models.views import View, find_views
from pose_inpaint.types import EMPTY, Inpainter


@dataclass(frozen=True)
class ImageInpainter:
    """Apply a method to whole images of any size, or to views of them at the scale that its network learned.

    Attributes:
        inpainter: Inpainting method.
        learned: Side in pixels of the images that its network was trained on; None for methods without a network, which
            see every image whole.
        device: Device of the method.
        resizing: Method of `resize`; a network expects that of its training.
    """

    inpainter: Inpainter
    learned: int | None = None
    device: torch.device | str = "cpu"
    resizing: Resizing = "antialias"

    def raw(
        self,
        image: UInt8[Tensor, "3 h w"],
        masked: Bool[Tensor, "h w"],
        size: int | None = None,
        *,
        samples: int = 1,
        seed: int = 0,
    ) -> UInt8[Tensor, "s 3 h w"]:
        """Inpaint a whole image and return the raw outputs at its resolution.

        Args:
            image: Image in 0..255, (3, h, w).
            masked: Pixels to inpaint, (h, w).
            size: Side of the square that the image is resized to and back from, as in the authors' code. None keeps the
                image's resolution, padded to multiples of the network's stride.
            samples: Number of outputs.
            seed: Seed of methods that draw random numbers.

        Raises:
            InputError: The output is not finite, or the method gives fewer samples.
        """
        height, width = image.shape[-2:]
        known = torch.where(masked, torch.full((), EMPTY), to_signed(image))
        if size is not None:
            masked = shrink(masked, size, size)
            known = torch.where(masked, torch.full((), EMPTY), resize(known, size, size, self.resizing))
        raw = self._apply(known, masked, samples, seed)
        return to_bytes(resize(raw, height, width, self.resizing))

    def composite(
        self,
        image: UInt8[Tensor, "3 h w"],
        masked: Bool[Tensor, "h w"],
        size: int | None = None,
        *,
        whole: bool = False,
        feather: int = 0,
        samples: int = 1,
        seed: int = 0,
    ) -> UInt8[Tensor, "s 3 h w"]:
        """Inpaint an image and return it with its holes filled; other pixels stay as they are.

        Args:
            image: Image in 0..255, (3, h, w).
            masked: Pixels to inpaint, (h, w).
            size: As in `raw`; None uses views if the network's scale is known.
            whole: Show the network the whole image at its own resolution instead of views.
            feather: Width in pixels of a seam around the holes, over which the output fades into the known pixels.
            samples: Number of outputs.
            seed: Seed of methods that draw random numbers.

        Raises:
            InputError: As `raw`.
        """
        weight = _seam(masked, feather)
        masked = weight > 0
        output = image.repeat(samples, 1, 1, 1)
        if size is not None or whole or self.learned is None:
            raw = self.raw(image, masked, size, samples=samples, seed=seed)
            _paste(output, to_signed(raw), weight)
            return output
        for view in find_views(masked, self.learned):
            part = self._view(image[:, *view.crop], masked[view.crop], view, samples, seed)
            box = (..., *view.box)
            _paste(output[box], part, torch.where(view.holes, weight[view.box], 0))
        return output

    def _view(
        self, image: UInt8[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], view: View, samples: int, seed: int
    ) -> Float[Tensor, "s 3 h2 w2"]:
        """Inpaint a crop at the view's scale and return the outputs in the view's box, at the crop's resolution."""
        height, width = masked.shape
        small = shrink(masked, *view.shape)
        known = to_signed(resize(torch.where(masked, 0, image), *view.shape))
        known = torch.where(small, torch.full((), EMPTY), known)
        raw = self._apply(known, small, samples, seed)
        rows, columns = map(_within, view.box, view.crop)
        if view.shape == (height, width):
            return raw[..., rows, columns]
        enlarged = F.interpolate(torch.where(small, raw, known), (height, width), mode="bilinear")[..., rows, columns]
        # What enlarging lost of the known pixels is continued into the hole, so that no seam shows.
        lost = to_signed(image[:, rows, columns]) - enlarged
        mask = masked[rows, columns].float()[None, None].expand(samples, -1, -1, -1)
        return (enlarged + push_pull(lost, mask)).clamp(-1, 1)

    def _apply(
        self, known: Float[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], samples: int, seed: int
    ) -> Float[Tensor, "s 3 h w"]:
        stride = getattr(self.inpainter, "stride", 1)
        padded, mask = (_pad(each, stride)[None].to(self.device) for each in (known, masked[None].float()))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            raw = self.inpainter(padded, mask, samples=samples, generator=generator).raw[0].cpu()
        if len(raw) < samples:
            raise InputError(f"samples={samples}: this model gives one output per image; use samples=1")
        if not raw.isfinite().all():
            raise InputError("the output has NaN or infinite values; use another model or checkpoint")
        return raw[..., : known.shape[-2], : known.shape[-1]]


def _within(box: slice, crop: slice) -> slice:
    return slice(box.start - crop.start, box.stop - crop.start)


def _seam(masked: Bool[Tensor, "h w"], feather: int) -> Float[Tensor, "h w"]:
    """Weight of the output: 1 in holes, falling to 0 over `feather` pixels."""
    if not feather:
        return masked.float()
    distance = distance_to_known(1 - masked[None, None].float())[0, 0]
    return (1 - distance / (feather + 1)).clamp(min=0)


def _paste(output: UInt8[Tensor, "s 3 h w"], inpainted: Float[Tensor, "s 3 h w"], weight: Float[Tensor, "h w"]) -> None:
    """Blend images in [-1, 1] into others in place; pixels of weight 0 stay as they are."""
    blended = weight * inpainted + (1 - weight) * to_signed(output)
    output.copy_(torch.where(weight > 0, to_bytes(blended), output))


def _pad(image: Float[Tensor, "c h w"], stride: int) -> Float[Tensor, "c h2 w2"]:
    """Repeat the last row and column up to multiples of `stride`."""
    # Image and mask are both padded this way, so a hole at the edge stays a hole in the padding.
    bottom, right = -image.shape[-2] % stride, -image.shape[-1] % stride
    return F.pad(image[None], (0, right, 0, bottom), mode="replicate")[0] if bottom or right else image
