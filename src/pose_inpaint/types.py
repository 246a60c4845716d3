"""The three contracts that hold the package together: `Batch`, `InpaintingOutput` and `Inpainter`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import torch

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

EMPTY = -1.0
"""What stands in a hole of `Batch.known`: black on the scale [-1, 1], as in the challenge's masked images."""

ImageKind = Literal["raw", "composite", "coarse"]
Region = Literal["whole", "hole", "known"]


def check_choice(key: str, value: object, choices: object) -> None:
    """Raises `InputError` unless `value` is one of the strings of the `Literal` type `choices`."""
    if value not in get_args(choices):
        raise InputError(f"{key}={value}: not one of {', '.join(get_args(choices))}")


@dataclass  # not frozen: Lightning's precision plugins set the fields of a copy
class Batch:
    """Images with holes.

    Attributes:
        target: the originals, (b, 3, h, w), in [-1, 1]. NaN in the holes where a blind test split keeps them back.
        mask: (b, 1, h, w), 1 = masked, 0 = known.
        names: b file names.
        pose: x and y in pixels and visible (0 or 1) of each of `pose_inpaint.data.joints.JOINTS`, (b, 14, 3), where the
            data set has them.
    """

    target: Float[Tensor, "b 3 h w"]
    mask: Float[Tensor, "b 1 h w"]
    names: tuple[str, ...]
    pose: Float[Tensor, "b 14 3"] | None = None

    @property
    def known(self) -> Float[Tensor, "b 3 h w"]:
        """`target` with its holes emptied: all that an `Inpainter` gets to see."""
        return torch.where(self.mask > 0, torch.full_like(self.target, EMPTY), self.target)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same batch on `device` (Lightning calls this by its name)."""
        pose = None if self.pose is None else self.pose.to(device, non_blocking=non_blocking)
        return dataclasses.replace(
            self,
            target=self.target.to(device, non_blocking=non_blocking),
            mask=self.mask.to(device, non_blocking=non_blocking),
            pose=pose,
        )

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory (the data loader calls this by its name)."""
        pose = None if self.pose is None else self.pose.pin_memory()
        return dataclasses.replace(self, target=self.target.pin_memory(), mask=self.mask.pin_memory(), pose=pose)


@dataclass(frozen=True)
class Source:
    """Another image that an output took its pixels from.

    Attributes:
        name: of that image.
        distance: how badly it fits the known pixels around the holes, in the method's own units.
        near_duplicate: whether it fits so well that it probably shows the same scene.
    """

    name: str
    distance: float
    near_duplicate: bool


@dataclass(frozen=True)
class InpaintingOutput:
    """What an `Inpainter` answers.

    Attributes:
        raw: s inpainted images each, as the method made them, (b, s, 3, h, w), in [-1, 1].
        predicted_mask: the method's own guess of the mask, (b, 1, h, w), in [0, 1], where it makes one.
        coarse: the first draft of a method that works in two stages, of the form of `raw`.
        sources: for each image and sample where its pixels came from, of methods that copy from other images.
    """

    raw: Float[Tensor, "b s 3 h w"]
    predicted_mask: Float[Tensor, "b 1 h w"] | None = None
    coarse: Float[Tensor, "b s 3 h w"] | None = None
    sources: tuple[tuple[Source, ...], ...] | None = None

    def composite(self, batch: Batch) -> Float[Tensor, "b s 3 h w"]:
        """`raw` inside the holes and the input elsewhere."""
        return torch.where(batch.mask[:, None] > 0, self.raw, batch.known[:, None])

    def image(self, which: ImageKind, batch: Batch) -> Float[Tensor, "b s 3 h w"]:
        """`raw`, the composite or the coarse image, by name.

        Raises:
            InputError: the method makes no coarse image.
        """
        if which == "coarse":
            if self.coarse is None:
                raise InputError(
                    "image=coarse: the model makes none; choose raw or composite, or a model of two stages"
                )
            return self.coarse
        return self.raw if which == "raw" else self.composite(batch)

    def detach(self) -> InpaintingOutput:
        """The same output, cut off from the graph that made it."""
        predicted_mask = None if self.predicted_mask is None else self.predicted_mask.detach()
        coarse = None if self.coarse is None else self.coarse.detach()
        return dataclasses.replace(self, raw=self.raw.detach(), predicted_mask=predicted_mask, coarse=coarse)


class Discriminator(Protocol):
    """Judges images, whole and, if it has a local patch, around a hole.

    Attributes:
        patch: side of the local patch in pixels; None for a discriminator that sees whole images only.
    """

    patch: int | None

    def __call__(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n k"]:
        """Scores of each image, k of them: logits of "real", or what a Wasserstein critic finds.

        Args:
            images: in [-1, 1].
            corners: row and column of the top left corner of each local patch; None for a discriminator without one.
        """
        ...


class Inpainter(Protocol):
    """Any method that inpaints images: a network, a mean fill, an algorithm. It never sees the target."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaints `known` (in [-1, 1], holes at `EMPTY`) where `mask` is 1.

        Args:
            known: the images with emptied holes.
            mask: 1 = masked.
            samples: how many outputs to give of each image; a method that knows but one gives one.
            generator: the source of randomness for methods that draw.
        """
        ...


def region_weight(mask: Float[Tensor, "b 1 h w"], region: Region) -> Float[Tensor, "b 1 h w"]:
    """1 on the pixels that `region` names and 0 elsewhere."""
    if region == "whole":
        return torch.ones_like(mask)
    return mask if region == "hole" else 1 - mask
