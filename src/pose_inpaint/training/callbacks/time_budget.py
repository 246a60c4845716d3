"""Duration of training, and budgets of minutes: schedules run over time, and a run ends when it is used up."""

import time
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.types import Batch

MEASURED = range(5, 25)
"""Batches of a start whose duration foretells the rest; the first ones are slower."""


class TrainingClock(Callback):
    """Counts the module's duration of training over all starts, up to the last batch, with validations between epochs.

    The last validation and the scoring of the test split come on top.
    """

    _started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on counting from the checkpoint's duration."""
        self._started = time.monotonic() - cast("InpaintingModule", pl_module).seconds

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Update the module's duration."""
        cast("InpaintingModule", pl_module).seconds = time.monotonic() - self._started


class TimeBudget(TrainingClock):
    """Ends training between two batches, validates and saves, so that a larger budget goes on from the same batch.

    Args:
        minutes: Budget in minutes, positive.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._measured, self._batches = 0.0, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on counting from the checkpoint's duration."""
        super().on_train_start(trainer, pl_module)
        self._batches = 0
        if cast("InpaintingModule", pl_module).seconds >= 60 * self.minutes:  # only scoring is left: not one batch more
            trainer.should_stop = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Update the module's duration, by the first rank's clock, and stop after this batch if the time is up."""
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        module = cast("InpaintingModule", pl_module)
        if trainer.world_size > 1:
            seconds = torch.tensor(module.seconds, dtype=torch.float64, device=trainer.strategy.root_device)
            torch.distributed.broadcast(seconds, src=0)
            module.seconds = float(seconds)
        module.time_share = min(1.0, module.seconds / (60 * self.minutes))
        if module.time_share >= 1:
            trainer.should_stop = True
        if self._batches == MEASURED.start:
            self._measured = module.seconds
        if self._batches == MEASURED.stop and trainer.is_global_zero:
            self._foretell(trainer, module, (module.seconds - self._measured) / len(MEASURED))
        self._batches += 1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count an epoch that was cut short as begun, not as done, in the checkpoints that are written next."""
        loop = trainer.fit_loop
        if loop.epoch_loop.batch_progress.current.completed < trainer.num_training_batches:
            for progress in (loop.epoch_progress.current, loop.epoch_progress.total):
                cast("Any", progress).processed -= 1

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print how far the training got."""
        module = cast("InpaintingModule", pl_module)
        if not trainer.is_global_zero or module.time_share is None or module.time_share < 1 or not module.cut_short:
            return
        begun = module.phases_begun
        never = [phase.name for phase in module.schedule.phases[len(begun) :]]
        print(
            f"max_minutes={self.minutes:g}: used up after {int(module.batches_seen)} batches; phases begun: "
            f"{', '.join(begun)}{'; never begun: ' + ', '.join(never) if never else ''}. Continue with resume=auto and "
            "a larger max_minutes.",
            flush=True,
        )

    def _foretell(self, trainer: Trainer, module: InpaintingModule, seconds: float) -> None:
        """Warn if the budget will end before the last phase begins, by the duration of a batch so far."""
        last = module.schedule.phases[-1].name
        ahead = module.schedule.first_epoch(last) * int(trainer.num_training_batches) - int(module.batches_seen)
        needed = (module.seconds + ahead * seconds) / 60
        if needed > self.minutes:
            print(
                f"max_minutes={self.minutes:g}: ends before phase {last!r} begins, after about {needed:.3g} minutes at "
                f"{seconds:.2g} s a batch; give more minutes, or the phases before it fewer epochs",
                flush=True,
            )
