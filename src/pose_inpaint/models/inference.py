"""Inpaint images of any size, one by one or several together."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.data.images import Resizing, resize, to_bytes, to_signed
from pose_inpaint.data.masks import shrink
from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.hole_geometry import distance_to_known
from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.models.views import View, find_views
from pose_inpaint.types import EMPTY, Inpainter

Known: TypeAlias = tuple[Float[Tensor, "3 h w"], Bool[Tensor, "h w"]]
"""What a method sees of an image: pixels in [-1, 1], (3, h, w), with its masked pixels `EMPTY`, and these, (h, w)."""
Steps: TypeAlias = Generator[Known, Float[Tensor, "s 3 h w"], UInt8[Tensor, "s 3 h w"]]
"""Inpainting of an image: yields what the method is to see, is sent its raw outputs, returns the image's outputs."""


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

    @property
    def takes_batches(self) -> bool:
        """Whether several images at a time are faster: for networks; other methods treat each by itself."""
        return isinstance(self.inpainter, nn.Module)

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
        return self._one(self._raw(image, masked, size), samples, seed)

    def _raw(self, image: UInt8[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], size: int | None) -> Steps:
        height, width = image.shape[-2:]
        known = torch.where(masked, torch.full((), EMPTY), to_signed(image))
        if size is not None:
            masked = shrink(masked, size, size)
            known = torch.where(masked, torch.full((), EMPTY), resize(known, size, size, self.resizing))
        raw = yield known, masked
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
        return self._one(self._composite(image, masked, size, whole, feather, samples), samples, seed)

    def many(
        self,
        images: Sequence[tuple[UInt8[Tensor, "3 h w"], Bool[Tensor, "h w"]]],
        size: int | None = None,
        *,
        raw: bool = False,
        whole: bool = False,
        feather: int = 0,
    ) -> list[UInt8[Tensor, "1 3 h w"] | InputError]:
        """Inpaint several images; a network sees those of one size, and views of one size, in batches.

        Args:
            images: Images in 0..255 and their pixels to inpaint.
            size: As in `raw`.
            raw: Return raw outputs instead of composites.
            whole: As in `composite`.
            feather: As in `composite`.

        Returns:
            The output of each image, equal to that of `raw` or `composite` to one grey level, or why it has none.
        """
        return self._take(
            [
                self._raw(image, masked, size) if raw else self._composite(image, masked, size, whole, feather)
                for image, masked in images
            ]
        )

    def _composite(
        self,
        image: UInt8[Tensor, "3 h w"],
        masked: Bool[Tensor, "h w"],
        size: int | None,
        whole: bool,
        feather: int,
        samples: int = 1,
    ) -> Steps:
        weight = _seam(masked, feather)
        masked = weight > 0
        output = image.repeat(samples, 1, 1, 1)
        if size is not None or whole or self.learned is None:
            raw = yield from self._raw(image, masked, size)
            _paste(output, to_signed(raw), weight)
            return output
        for view in find_views(masked, self.learned):
            part = yield from self._view(image[:, *view.crop], masked[view.crop], view)
            box = (..., *view.box)
            _paste(output[box], part, torch.where(view.holes, weight[view.box], 0))
        return output

    def _view(
        self, image: UInt8[Tensor, "3 h w"], masked: Bool[Tensor, "h w"], view: View
    ) -> Generator[tuple[Tensor, Tensor], Tensor, Float[Tensor, "s 3 h2 w2"]]:
        """Inpaint a crop at the view's scale and return the outputs in the view's box, at the crop's resolution."""
        height, width = masked.shape
        small = shrink(masked, *view.shape)
        known = to_signed(resize(torch.where(masked, 0, image), *view.shape))
        known = torch.where(small, torch.full((), EMPTY), known)
        raw = yield known, small
        rows, columns = map(_within, view.box, view.crop)
        if view.shape == (height, width):
            return raw[..., rows, columns]
        enlarged = F.interpolate(torch.where(small, raw, known), (height, width), mode="bilinear")[..., rows, columns]
        # What enlarging lost of the known pixels is continued into the hole, so that no seam shows.
        lost = to_signed(image[:, rows, columns]) - enlarged
        mask = masked[rows, columns].float()[None, None].expand(len(raw), -1, -1, -1)
        return (enlarged + push_pull(lost, mask)).clamp(-1, 1)

    def _one(self, steps: Steps, samples: int, seed: int) -> UInt8[Tensor, "s 3 h w"]:
        (output,) = self._take([steps], samples, seed)
        if isinstance(output, InputError):
            raise output
        return output

    def _take(
        self, images: Sequence[Steps], samples: int = 1, seed: int = 0
    ) -> list[UInt8[Tensor, "s 3 h w"] | InputError]:
        """Take the steps of several images, those that see the same size in one batch."""
        outputs: dict[int, UInt8[Tensor, "s 3 h w"] | InputError] = {}
        answers: dict[int, Any] = dict.fromkeys(range(len(images)))  # None starts an image
        while answers:
            by_shape: dict[tuple[int, ...], dict[int, Known]] = {}
            for i, answer in answers.items():
                try:
                    wanted = images[i].send(answer)
                    by_shape.setdefault(tuple(wanted[1].shape), {})[i] = wanted
                except StopIteration as end:
                    outputs[i] = end.value
            answers = {}
            for batch in by_shape.values():
                for i, raw in zip(batch, self._apply(list(batch.values()), samples, seed), strict=True):
                    if raw.isfinite().all():
                        answers[i] = raw
                    else:
                        outputs[i] = InputError(
                            "the output has NaN or infinite values; use another model or checkpoint"
                        )
        return [outputs[i] for i in range(len(images))]

    def _apply(self, wanted: Sequence[Known], samples: int, seed: int) -> Float[Tensor, "n s 3 h w"]:
        """Apply the method to a batch of images of one size."""
        stride = getattr(self.inpainter, "stride", 1)
        known = torch.stack([_pad(each, stride) for each, _ in wanted])
        mask = torch.stack([_pad(masked[None].float(), stride) for _, masked in wanted])
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            output = self.inpainter(known.to(self.device), mask.to(self.device), samples=samples, generator=generator)
        raw = output.raw.cpu()
        if raw.shape[1] < samples:
            raise InputError(f"samples={samples}: this model gives one output per image; use samples=1")
        height, width = wanted[0][1].shape
        return raw[..., :height, :width]


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
