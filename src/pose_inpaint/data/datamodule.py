"""One LightningDataModule over every source of images."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Sampler, Subset

from pose_inpaint.data.dataset import ImageDataset, collate
from pose_inpaint.data.inspection import check_sound, inspect_once
from pose_inpaint.data.samplers import EpochSampler, PartSampler
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.workers import end_readers_at_exit, follow_parent

if TYPE_CHECKING:
    from lightning.pytorch.loops.progress import _ProcessedTracker

    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.data.masks import Masks
    from pose_inpaint.data.records import Record
    from pose_inpaint.data.sources import Source
    from pose_inpaint.types import Batch


class InpaintingData(LightningDataModule):
    """Batches of images with holes, for training, validation and test.

    Args:
        source: where the images are.
        masks: where their holes are.
        size: side of the network's images in pixels.
        batch_size: images a batch, on each device.
        workers: processes that read images; 0 reads in the training process.
        seed: of the order of training images.
        limit: use at most this many images of each split (the first ones by name); None uses all.
        names: use only images whose name fits this pattern ("lspet_*").

    Raises:
        InputError: an argument is out of range.
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
    ) -> None:
        super().__init__()
        checks = {"data.size": (size, 16), "data.batch_size": (batch_size, 1), "data.workers": (workers, 0)}
        checks |= {} if limit is None else {"data.limit": (limit, 1)}
        for key, (value, least) in checks.items():
            if value < least:
                raise InputError(f"{key}={value}: must be at least {least}")
        self.source, self.masks, self.size = source, masks, size
        self.batch_size, self.workers, self.seed, self.limit, self.names = batch_size, workers, seed, limit, names
        self._images: dict[str, ImageDataset] = {}
        self._start = {"epoch": 0, "batches": 0}

    def inspect(self, *splits: str) -> list[Inspection]:
        """Reads every file of the splits; raises `InputError` if one of them is faulty."""
        inspections = [inspect_once(self.source, self.masks, self.size, split) for split in splits]
        check_sound(inspections)
        return inspections

    def records(self, split: str) -> list[Record]:
        """Everything that is listed of a split, whether it is used or left out by `names` and `limit`.

        Raises:
            InputError: the split's lists are faulty.
        """
        listing = self.source.listing(split, maskdata=self.masks.uses_maskdata(split))
        if listing.problems:
            raise InputError(listing.problems[0])
        return listing.records

    def images(self, split: str) -> ImageDataset:
        """The images of a split that are used, listed once.

        Raises:
            InputError: the split's lists are faulty.
        """
        if split not in self._images:
            every = self.records(split)
            chosen = [record for record in every if fnmatch.fnmatch(record.name, self.names)]
            if not chosen:
                raise InputError(f"data.names={self.names}: fits none of the {len(every)} images of {split}")
            self._images[split] = ImageDataset(chosen[: self.limit], self.masks, self.size)
        return self._images[split]

    def check_batch_size(self) -> None:
        """Raise `InputError` if a rank's part of the training split can't fill a batch."""
        ranks, rank = self._ranks()
        images = len(EpochSampler(self.images("train"), ranks, rank, self.seed))
        if images < self.batch_size:
            share = f"{images} training images" + (f" for each of {ranks} devices" if ranks > 1 else "")
            raise InputError(f"data.batch_size={self.batch_size}: only {share}; give a smaller one")

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled again in each epoch; the last batch is dropped if it is not full, for the sake of batch norm."""
        images = self.images("train")
        ranks, rank = self._ranks()
        start = (self._start["epoch"], self._start["batches"] * self.batch_size)
        self.check_batch_size()
        sampler = EpochSampler(images, ranks, rank, self.seed, start)
        return self._loader(images, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation images in the order of their names; each rank has its part, and none has padding.

        Raises:
            InputError: there are fewer images than ranks.
        """
        images = self.images("val")
        ranks, rank = self._ranks()
        if len(images) < ranks:
            raise InputError(f"trainer.devices: {ranks} devices, but only {len(images)} validation images; use fewer")
        return self._loader(images, sampler=PartSampler(images, ranks, rank))

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test images in the order of their names."""
        return self.split_dataloader("test")

    def split_dataloader(self, split: str) -> DataLoader[Batch]:
        """Images of a split in the order of their names, with the masks that never vary."""
        return self._loader(self.images(split))

    def state_dict(self) -> dict[str, int]:
        """How far training is: epochs done, batches done in the next one, images of a batch over all ranks."""
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
        """The next training loader goes on from there."""
        self._start = state_dict

    def _ranks(self) -> tuple[int, int]:
        """How many processes train together, and which of them this is."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def calibration_dataloader(self, batches: int) -> DataLoader[Batch]:
        """The same few training images every time, spread over the split: for batch normalisation's statistics."""
        images = self.images("train")
        count = min(len(images) // self.batch_size, batches) * self.batch_size
        spread = torch.linspace(0, len(images) - 1, count).long().tolist()
        return self._loader(Subset(images, spread))

    def _loader(
        self, images: ImageDataset | Subset[Batch], sampler: Sampler[Any] | None = None, *, drop_last: bool = False
    ) -> DataLoader[Batch]:
        end_readers_at_exit()
        return DataLoader(
            images,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=self.workers,
            persistent_workers=False,
            pin_memory=torch.cuda.is_available(),
            collate_fn=collate,
            worker_init_fn=follow_parent,
            generator=torch.Generator().manual_seed(self.seed),  # else each loader would draw from the global one
        )
