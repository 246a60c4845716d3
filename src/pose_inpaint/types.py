"""Interfaces shared by the whole package: `Batch`, `InpaintingOutput`, `Inpainter` and `Discriminator`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pose_inpaint.errors import InputError

EMPTY = -1.0
"""Value of the masked pixels in `Batch.known`: black in [-1, 1], as in the challenge's masked images."""

ImageKind = Literal["raw", "composite", "coarse"]
Region = Literal["whole", "hole", "known"]


def check_choice(key: str, value: object, choices: object) -> None:
    """Raise `InputError` unless `value` is one of the strings of the `Literal` type `choices`."""
    if value not in get_args(choices):
        raise InputError(f"{key}={value}: not one of {', '.join(get_args(choices))}")


@dataclass  # not frozen: Lightning's precision plugins set the fields of a copy
class Batch:
    """Images with holes.

    Attributes:
        target: Original images, (b, 3, h, w), in [-1, 1]; NaN in the holes of a blind test split.
        mask: Masks, (b, 1, h, w); 1 = masked, 0 = known.
        names: File names of the b images.
        pose: x, y (pixels; the centre of the first is 0.5, 0.5) and visibility (0 or 1) of
            `pose_inpaint.data.joints.JOINTS`, (b, 14, 3), or None.
    """

    target: Float[Tensor, "b 3 h w"]
    mask: Float[Tensor, "b 1 h w"]
    names: tuple[str, ...]
    pose: Float[Tensor, "b 14 3"] | None = None

    @property
    def known(self) -> Float[Tensor, "b 3 h w"]:
        """`target` with its holes set to `EMPTY`: the only view of the images that an `Inpainter` gets."""
        return torch.where(self.mask > 0, torch.full_like(self.target, EMPTY), self.target)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Copy the batch to `device` (called by Lightning)."""
        pose = None if self.pose is None else self.pose.to(device, non_blocking=non_blocking)
        return dataclasses.replace(
            self,
            target=self.target.to(device, non_blocking=non_blocking),
            mask=self.mask.to(device, non_blocking=non_blocking),
            pose=pose,
        )

    def pin_memory(self) -> Batch:
        """Copy the batch to page-locked memory (called by the data loader)."""
        pose = None if self.pose is None else self.pose.pin_memory()
        return dataclasses.replace(self, target=self.target.pin_memory(), mask=self.mask.pin_memory(), pose=pose)


@dataclass(frozen=True)
class Source:
    """Another image from which an output copied its pixels.

    Attributes:
        name: File name of that image.
        distance: Mismatch with the known pixels around the holes, in the method's own units.
        near_duplicate: Whether the match is so close that the image probably shows the same scene.
    """

    name: str
    distance: float
    near_duplicate: bool


@dataclass(frozen=True)
class InpaintingOutput:
    """Output of an `Inpainter`.

    Attributes:
        raw: Raw outputs, s samples per image, (b, s, 3, h, w), in [-1, 1].
        predicted_mask: Mask predicted by the method, (b, 1, h, w), in [0, 1], or None.
        coarse: Output of the first stage of a two-stage method, same shape as `raw`, or None.
        sources: Source of the copied pixels for each image and sample, or None if the method copies nothing.
    """

    raw: Float[Tensor, "b s 3 h w"]
    predicted_mask: Float[Tensor, "b 1 h w"] | None = None
    coarse: Float[Tensor, "b s 3 h w"] | None = None
    sources: tuple[tuple[Source, ...], ...] | None = None

    def composite(self, batch: Batch) -> Float[Tensor, "b s 3 h w"]:
        """Combine `raw` inside the holes with the known pixels elsewhere."""
        # Outside the holes the original is the known image: no need to build that again.
        return torch.where(batch.mask[:, None] > 0, self.raw, batch.target[:, None])

    def image(self, which: ImageKind, batch: Batch) -> Float[Tensor, "b s 3 h w"]:
        """Return the raw, composite or coarse image by name.

        Raises:
            InputError: The method has no coarse output.
        """
        if which == "coarse":
            if self.coarse is None:
                raise InputError(
                    "image=coarse: the model has no coarse output; use raw or composite, or a two-stage model"
                )
            return self.coarse
        return self.raw if which == "raw" else self.composite(batch)

    def detach(self) -> InpaintingOutput:
        """Detach every tensor from the autograd graph."""
        predicted_mask = None if self.predicted_mask is None else self.predicted_mask.detach()
        coarse = None if self.coarse is None else self.coarse.detach()
        return dataclasses.replace(self, raw=self.raw.detach(), predicted_mask=predicted_mask, coarse=coarse)


class Discriminator(Protocol):
    """Score whole images and, with a local patch, the region around a hole.

    Attributes:
        patch: Side of the local patch in pixels; None for a discriminator of whole images only.
    """

    patch: int | None

    def __call__(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n k"]:
        """Return k scores per image: logits of "real", or values of a Wasserstein critic.

        Args:
            images: Images in [-1, 1].
            corners: Row and column of the top-left corner of each local patch; None without local patches.
        """
        ...


class Inpainter(Protocol):
    """Inpainting method, learned or classical. It never sees the target."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint `known` where `mask` is 1.

        Args:
            known: Images in [-1, 1] with holes set to `EMPTY`.
            mask: Masks; 1 = masked.
            samples: Number of outputs per image; deterministic methods return one.
            generator: Random number generator for stochastic methods.
        """
        ...


def region_weight(mask: Float[Tensor, "b 1 h w"], region: Region) -> Float[Tensor, "b 1 h w"]:
    """Return 1 on the pixels of `region` and 0 elsewhere."""
    if region == "whole":
        return torch.ones_like(mask)
    return mask if region == "hole" else 1 - mask
