"""A line per epoch, for output that is no terminal."""

import time

from lightning.pytorch import Callback, LightningModule, Trainer


class EpochLines(Callback):
    """Prints epoch, phase, losses of the last batch and validation scores, where a progress bar would be unreadable."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting seconds."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = ("generator", "discriminator", *(name for name in values if name.startswith("val/")))
        scores = ", ".join(f"{name} {values[name]:.4g}" for name in shown if name in values)
        print(
            f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs} ({pl_module.phase.name}): "  # type: ignore[union-attr]
            f"{scores}; {time.monotonic() - self._started:.0f} s",
            flush=True,
        )
