"""The order in which images are read, by epoch, rank and position."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from torch.utils.data import DistributedSampler, Sampler

from pose_inpaint.data.dataset import ImageDataset

if TYPE_CHECKING:
    from collections.abc import Iterator


class EpochSampler(DistributedSampler[int]):
    """A shuffled order of (epoch, index) that follows from seed and epoch alone; each rank gets its own part.

    Together the ranks get each image once, but for a last few that can't be shared equally.

    Args:
        images: the data set.
        ranks: processes that train together.
        rank: which of them this is.
        seed: of the order.
        start: the epoch, and the images of this rank in it, that were seen before the run was resumed.
    """

    def __init__(self, images: ImageDataset, ranks: int, rank: int, seed: int, start: tuple[int, int] = (0, 0)) -> None:
        super().__init__(images, num_replicas=ranks, rank=rank, shuffle=True, seed=seed, drop_last=True)
        self.start = start
        self.set_epoch(start[0])  # a loader with processes fetches its first batches before Lightning sets the epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        seen = self.start[1] if self.epoch == self.start[0] else 0
        return ((self.epoch, index) for index in islice(super().__iter__(), seen, None))


class PartSampler(Sampler[int]):
    """Each rank's part of the images in their order: all of them once, so that parts may differ by one in length."""

    def __init__(self, images: ImageDataset, ranks: int, rank: int) -> None:
        self.part = range(rank, len(images), ranks)

    def __len__(self) -> int:
        return len(self.part)

    def __iter__(self) -> Iterator[int]:
        return iter(self.part)
