"""Order of images by epoch, rank and resume position."""

from collections.abc import Iterator
from itertools import islice

from torch.utils.data import DistributedSampler, Sampler

from pose_inpaint.data.dataset import ImageDataset


class EpochSampler(DistributedSampler[int]):
    """Shuffled (epoch, index) pairs of one rank, determined by seed and epoch alone.

    Together the ranks get each image once, except for a remainder that can't be divided equally.

    Args:
        images: Data set.
        ranks: Number of processes that train together.
        rank: Rank of this process.
        seed: Random seed of the order.
        start: Epoch to resume in, and the number of its images that this rank has already seen.
    """

    def __init__(self, images: ImageDataset, ranks: int, rank: int, seed: int, start: tuple[int, int] = (0, 0)) -> None:
        super().__init__(images, num_replicas=ranks, rank=rank, shuffle=True, seed=seed, drop_last=True)
        self.start = start
        self.set_epoch(start[0])  # loader processes fetch their first batches before Lightning sets the epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        seen = self.start[1] if self.epoch == self.start[0] else 0
        return ((self.epoch, index) for index in islice(super().__iter__(), seen, None))


class PartSampler(Sampler[int]):
    """Every n-th image for each of n ranks: each image once, so lengths may differ by one."""

    def __init__(self, images: ImageDataset, ranks: int, rank: int) -> None:
        self.part = range(rank, len(images), ranks)

    def __len__(self) -> int:
        return len(self.part)

    def __iter__(self) -> Iterator[int]:
        return iter(self.part)
