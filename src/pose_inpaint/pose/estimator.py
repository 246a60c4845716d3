"""Interface of pose estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Poses:
    """Pose of one person per image.

    Attributes:
        joints: X and y in pixels (the centre of the first pixel is 0.5, 0.5) and confidence in [0, 1] of each of the 14
            `JOINTS`, (b, 14, 3).
        found: Whether a person was found, (b,).
        squares: Top left, top right and bottom left corner of the square searched for the person, x and y in pixels,
            (b, 3, 2).
    """

    joints: Float[Tensor, "b 14 3"]
    found: Bool[Tensor, " b"]
    squares: Float[Tensor, "b 3 2"]

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: int) -> Poses:
        one = slice(index, index + 1)
        return Poses(self.joints[one], self.found[one], self.squares[one])


def join(poses: Sequence[Poses]) -> Poses:
    """Concatenate poses of several batches."""
    return Poses(*(torch.cat(parts) for parts in zip(*(vars(each).values() for each in poses), strict=True)))


def nobody() -> Poses:
    """Return the `Poses` of one image without a person."""
    return Poses(torch.zeros(1, 14, 3), torch.zeros(1, dtype=torch.bool), torch.zeros(1, 3, 2))


class PoseEstimator(Protocol):
    """Estimator of the pose of the most prominent person in each image."""

    @property
    def name(self) -> str:
        """Name of estimator, weights and settings, for reports and as cache key."""
        ...

    @property
    def joint_names(self) -> Sequence[str]:
        """Joints that the estimator predicts, before they are mapped to `JOINTS`."""
        ...

    @property
    def device(self) -> torch.device:
        """Device to compute on."""
        ...

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Estimate poses, in the images' order and on the CPU.

        Args:
            images: Images (b, 3, h, w), in [0, 1].
            near: Poses in other versions of the same images. If one was found, the person at that position is
                estimated, as the challenge's own estimator was given the person's position.
        """
        ...
