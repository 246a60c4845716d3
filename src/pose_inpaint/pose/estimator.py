"""The interface of pose estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float
    from torch import Tensor


@dataclass(frozen=True)
class Poses:
    """The pose of one person in each image.

    Attributes:
        joints: x and y in pixels of the image (the centre of the first pixel is 0.5, 0.5) and confidence in [0, 1]
            of each of the 14 `JOINTS`, (b, 14, 3).
        found: whether there is a person at all, (b,).
        squares: top left, top right and bottom left corner of the square that the person was looked for in, x and y in
            pixels, (b, 3, 2).
    """

    joints: Float[Tensor, "b 14 3"]
    found: Bool[Tensor, " b"]
    squares: Float[Tensor, "b 3 2"]

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, place: int) -> Poses:
        one = slice(place, place + 1)
        return Poses(self.joints[one], self.found[one], self.squares[one])


def join(poses: Sequence[Poses]) -> Poses:
    """Poses of several batches as one."""
    joints, found, squares = zip(*((each.joints, each.found, each.squares) for each in poses), strict=True)
    return Poses(torch.cat(joints), torch.cat(found), torch.cat(squares))


def nobody() -> Poses:
    """An image without a person."""
    return Poses(torch.zeros(1, 14, 3), torch.zeros(1, dtype=torch.bool), torch.zeros(1, 3, 2))


class PoseEstimator(Protocol):
    """Finds the pose of the one person that each image shows best."""

    @property
    def name(self) -> str:
        """Of estimator and weights, for print and for caches: two that may answer differently have different ones."""
        ...

    @property
    def joint_names(self) -> Sequence[str]:
        """The joints that it finds itself, before they are mapped to `JOINTS`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Poses in the images' order, on the CPU.

        Args:
            images: in [0, 1].
            near: poses in other versions of the same images. Where one was found, that person is looked at and no
                other: the place of the person is given, as the challenge's own estimator was given it.
        """
        ...
