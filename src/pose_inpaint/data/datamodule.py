"""LightningDataModule for any source of images."""

import fnmatch
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader, Sampler, Subset

from pose_inpaint.data.augmentation import Augmentation
from pose_inpaint.data.dataset import ImageDataset, collate
from pose_inpaint.data.images import Resizing
from pose_inpaint.data.inspection import Inspection, check_sound, inspect_once
from pose_inpaint.data.masks import Masks
from pose_inpaint.data.records import Record
from pose_inpaint.data.samplers import EpochSampler, PartSampler
from pose_inpaint.data.sources import Source
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.hashing import digest
from pose_inpaint.runtime.workers import end_readers_at_exit, follow_parent
from pose_inpaint.types import Batch


def half_of(name: str) -> str:
    """Return the half, "A" or "B", of the training images to which a name belongs."""
    return "AB"[digest("half", name) % 2]


class InpaintingData(LightningDataModule):
    """Batches of images with holes for training, validation and test.

    Args:
        source: Source of the images.
        masks: Source of the masks.
        size: Side of the network's images in pixels, at least 16.
        batch_size: Images per batch and device.
        workers: Processes that read images; 0 reads in the training process.
        seed: Random seed of the order of training images.
        limit: Largest number of images per split, taken in the order of their names; None uses all.
        names: Pattern that the names of the images must match ("lspet_*").
        augmentation: Random change of training images, or None.
        half: "A" or "B": a half of the training images, split by a digest of their names; None uses both.
        resizing: Method of `resize`.
        packed: Whether to decode training and validation images once, into a file in the user's cache.
    """

    def __init__(
        self,
        source: Source,
        masks: Masks,
        size: int,
        batch_size: int,
        workers: int,
        seed: int,
        limit: int | None = None,
        names: str = "*",
        augmentation: Augmentation | None = None,
        half: str | None = None,
        resizing: Resizing = "antialias",
        packed: bool = True,
    ) -> None:
        super().__init__()
        self.source, self.masks, self.size = source, masks, size
        self.batch_size, self.workers, self.seed, self.limit, self.names = batch_size, workers, seed, limit, names
        self.augmentation, self.half, self.resizing = augmentation, half, resizing
        self.packed, self._images, self._packed = packed, dict[str, ImageDataset](), set[str]()
        self._start = {"epoch": 0, "batches": 0}

    def inspect(self, *splits: str) -> list[Inspection]:
        """Read every file of the splits; raise `InputError` if there is any problem."""
        inspections = [inspect_once(self.source, self.masks, self.size, split, self.resizing) for split in splits]
        check_sound(inspections)
        return inspections

    def records(self, split: str) -> list[Record]:
        """List all images of a split, whatever `names` and `limit` are; raise `InputError` if its lists are invalid."""
        listing = self.source.listing(split, maskdata=self.masks.uses_maskdata(split))
        if listing.problems:
            raise InputError(listing.problems[0])
        return listing.records

    def images(self, split: str) -> ImageDataset:
        """Return the images of a split that `names` and `limit` select (cached); raise `InputError` if none."""
        if split not in self._images:
            records = self.records(split)
            chosen = [record for record in records if fnmatch.fnmatch(record.name, self.names)]
            if not chosen:
                raise InputError(f"data.names={self.names}: matches none of the {len(records)} images of {split}")
            if self.half is not None and split == "train":
                chosen = [record for record in chosen if half_of(record.name) == self.half]
            self._images[split] = ImageDataset(
                chosen[: self.limit], self.masks, self.size, self.augmentation, self.resizing
            )
        return self._images[split]

    def check_batch_size(self) -> None:
        """Raise `InputError` if a rank has too few training images for one batch."""
        ranks, rank = self._ranks()
        images = len(EpochSampler(self.images("train"), ranks, rank, self.seed))
        if images < self.batch_size:
            available = f"{images} training images" + (f" for each of {ranks} devices" if ranks > 1 else "")
            raise InputError(f"data.batch_size={self.batch_size}: only {available}; reduce the batch size")

    def count_batches(self, split: Literal["train", "val"]) -> int:
        """Number of batches that the split's loader gives this rank in a whole epoch; nothing is read."""
        images, ranks, rank = self.images(split), *self._ranks()
        if split == "train":
            return len(EpochSampler(images, ranks, rank, self.seed)) // self.batch_size
        return -(-len(PartSampler(images, ranks, rank)) // self.batch_size)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training images, reshuffled each epoch; an incomplete last batch is dropped for the sake of batch norm."""
        self.check_batch_size()
        start = (self._start["epoch"], self._start["batches"] * self.batch_size)
        images = self._fast_images("train")
        sampler = EpochSampler(images, *self._ranks(), self.seed, start)
        return self._loader(images, sampler=sampler, drop_last=True, every_epoch=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation images in the order of their names, divided among the ranks, of which each needs one."""
        images = self.images("val")
        ranks, rank = self._ranks()
        if len(images) < ranks:
            raise InputError(f"trainer.devices: {ranks} devices, but only {len(images)} validation images; use fewer")
        images = self._fast_images("val")
        return self._loader(images, sampler=PartSampler(images, ranks, rank), every_epoch=True)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test images in the order of their names."""
        return self.split_dataloader("test")

    def split_dataloader(self, split: str) -> DataLoader[Batch]:
        """Images of a split in the order of their names, with fixed masks."""
        return self._loader(self.images(split))

    def state_dict(self) -> dict[str, int]:
        """Return finished epochs, finished batches of the current epoch, and images per batch over all ranks."""
        if self.trainer is None:
            return {}
        loop = self.trainer.fit_loop
        batches = loop.epoch_loop.batch_progress.current.completed % max(1, int(self.trainer.num_training_batches))
        return {
            "epoch": cast("_ProcessedTracker", loop.epoch_progress.current).processed,
            "batches": batches,
            "images": self.batch_size * self._ranks()[0],
        }

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume the next training loader from this position."""
        self._start = state_dict

    def _ranks(self) -> tuple[int, int]:
        """World size and rank of this process."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def calibration_dataloader(self, batches: int) -> DataLoader[Batch]:
        """Fixed sample of training images, spread over the split, to recalibrate batch-norm statistics."""
        images = self.images("train")
        count = min(len(images) // self.batch_size, batches) * self.batch_size
        chosen = Subset(images, torch.linspace(0, len(images) - 1, count).long().tolist())
        return self._loader(chosen, workers=self.workers if images.packed is None else 0)  # sooner read than forked

    def _fast_images(self, split: str) -> ImageDataset:
        """Return the images of a split that is read in every epoch, decoded once if `packed`."""
        images = self.images(split)
        if self.packed and split not in self._packed:
            self._packed.add(split)  # also if it fails, so that it isn't tried and reported again
            images.pack(split)
        return images

    def _loader(
        self,
        images: ImageDataset | Subset[Batch],
        sampler: Sampler[Any] | None = None,
        *,
        drop_last: bool = False,
        every_epoch: bool = False,
        workers: int | None = None,
    ) -> DataLoader[Batch]:
        workers = self.workers if workers is None else workers
        end_readers_at_exit()
        return DataLoader(
            images,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=every_epoch and workers > 0,  # the epoch comes with each index, so they need no news
            pin_memory=torch.cuda.is_available(),
            collate_fn=collate,
            worker_init_fn=follow_parent,
            generator=torch.Generator().manual_seed(self.seed),  # otherwise every loader advances the global generator
        )
