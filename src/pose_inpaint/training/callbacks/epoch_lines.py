"""A line per epoch: losses, scores, minutes taken and left."""

import time
from collections.abc import Mapping
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from pose_inpaint.training.lightning_module import SIDES, InpaintingModule, shown_bar
from pose_inpaint.types import Batch


class EpochLines(Callback):
    """Prints epoch, phase, mean losses, validation scores, and minutes taken and left, above a progress bar if any.

    Minutes left are those of the remaining epochs at the mean pace of this start, or of the budget, if that ends first.

    Args:
        minutes: Budget in minutes; None without one.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.minutes = minutes
        self._begun = self._epoch_begun = time.monotonic()
        self._first = 0
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._begun, self._first = time.monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's means."""
        self._epoch_begun = time.monotonic()
        self._sums, self._counts = {}, {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Add up the losses, without waiting for the device."""
        for side in SIDES:
            name = f"train/{side}/total"
            if name in outputs:
                self._sums[side] = self._sums.get(side, 0) + outputs[name]
                self._counts[side] = self._counts.get(side, 0) + 1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        module = cast("InpaintingModule", pl_module)
        losses = {side: float(total) / self._counts[side] for side, total in self._sums.items()}
        scores = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        done, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        now = time.monotonic()
        left = (epochs - done) * (now - self._begun) / (done - self._first) / 60
        if self.minutes is not None:
            left = min(left, max(0.0, self.minutes - module.seconds / 60))
        taken = (now - self._epoch_begun) / 60
        text = describe_epoch(f"{done} of {epochs}", module.phase.name, {**losses, **scores}, taken, left)
        bar = shown_bar(trainer)
        if bar is not None:
            bar.print(text)
        else:
            print(text, flush=True)


def describe_epoch(epoch: str, phase: str, values: Mapping[str, float], minutes: float, left: float) -> str:
    """Describe an epoch in a line.

    Args:
        epoch: Number of the epoch, and of all.
        phase: Name of the phase.
        values: Mean losses by network, and validation scores.
        minutes: Duration of the epoch in minutes.
        left: Estimate of the minutes left.
    """
    shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    return f"epoch {epoch} ({phase}): {shown}; {_duration(minutes)}, {_duration(left)} left"


def _duration(minutes: float) -> str:
    """Hours and minutes, minutes, or seconds."""
    if minutes >= 60:
        return f"{int(minutes // 60)} h {int(minutes % 60)} min"
    return f"{minutes:.0f} min" if minutes >= 10 else f"{minutes:.1f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"
