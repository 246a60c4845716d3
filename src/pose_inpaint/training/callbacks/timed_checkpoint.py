"""Checkpoints inside an epoch: at an interval of minutes, and when the process is asked to stop."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from pose_inpaint.runtime.signals import StopRequestedError, handle_requests, let_go_of_closed_outputs, restore_handlers
from pose_inpaint.types import Batch


class ProgressKeeper(Callback):
    """Writes `last.ckpt` between two batches, so that a run loses minutes at most, and stops the run on request.

    A request takes effect between two training batches. During validation, one device stops at once without a new
    checkpoint, since resuming from the last one repeats the validation. Several devices have unequal numbers of
    validation batches, so they stop together afterwards.

    Args:
        path: Path of the checkpoint.
        minutes: Minutes between two checkpoints; 0 for one before every batch, None for one on request only.
    """

    def __init__(self, path: Path, minutes: float | None) -> None:
        self.path, self.minutes = path, minutes
        self._saved = time.monotonic()
        self._request: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install signal handlers in place of Lightning's, set just before, which stop a run at the end of an epoch."""
        self._saved = time.monotonic()
        self._before = handle_requests(self._ask)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restore the signal handlers; after an exception Lightning restores the ones it found."""
        restore_handlers(self._before)
        self._before = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Save if it is time, and stop if asked to, on all ranks together."""
        due = self.minutes is not None and time.monotonic() - self._saved >= 60 * self.minutes
        request, due = self._agree(trainer, due=due)
        if (due or request) and batch_idx > 0:  # batch 0: the checkpoint of the last epoch's end is new
            with _between_batches(trainer):
                trainer.save_checkpoint(self.path)
            self._saved = time.monotonic()
        if request:
            done = f"epoch {trainer.current_epoch + 1}, {batch_idx} of {trainer.num_training_batches} batches"
            raise StopRequestedError(request, self.path, done)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keep the progress bar, which prints next, from failing if the terminal is gone."""
        if self._request is not None:
            let_go_of_closed_outputs()

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Stop if asked to, on a single device: other ranks would wait for this one."""
        if self._request is not None and trainer.world_size == 1:
            done = f"during the validation of epoch {trainer.current_epoch + 1}"
            raise StopRequestedError(self._request, self.path, done)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if asked to after the last batch; the checkpoint is written, and resuming does the scoring."""
        request, _ = self._agree(trainer, due=False)
        if request:
            raise StopRequestedError(request, self.path, "trained, not yet scored")

    def _ask(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and self._request is not None:
            raise StopRequestedError(number, self.path, "asked twice, so without waiting for the batch")
        self._request = number
        let_go_of_closed_outputs()

    def _agree(self, trainer: Trainer, *, due: bool) -> tuple[int, bool]:
        """Share what any rank was asked to do, since all ranks take part in a checkpoint."""
        if trainer.world_size == 1:
            return self._request or 0, due
        wishes = torch.tensor([self._request or 0, int(due)], device=trainer.strategy.root_device)
        torch.distributed.all_reduce(wishes, op=torch.distributed.ReduceOp.MAX)
        return int(wishes[0]), bool(wishes[1])


@contextmanager
def _between_batches(trainer: Trainer) -> Iterator[None]:
    """Take the batch just fetched out of Lightning's counters while a checkpoint is written.

    A resumed run fetches that batch again, and would otherwise count one too many from then on.
    """
    progress = trainer.fit_loop.epoch_loop.batch_progress
    last = progress.is_last_batch
    progress.total.ready -= 1
    progress.current.ready -= 1
    progress.is_last_batch = False
    try:
        yield
    finally:
        progress.total.ready += 1
        progress.current.ready += 1
        progress.is_last_batch = last
