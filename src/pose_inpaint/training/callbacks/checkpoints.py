"""Which checkpoints a run leaves: the best of each phase, and the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import ModelCheckpoint

from pose_inpaint.metrics.score_names import higher_is_better

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer


class BestOfPhase(ModelCheckpoint):
    """Keeps the best checkpoint of one phase as `best-PHASE.ckpt`.

    One for all phases would keep the reconstruction phase's for ever: adversarial training costs PSNR.

    Args:
        folder: where to write.
        phase: the phase's name.
        monitor: the validation score to judge by, METRIC_IMAGE_REGION.
    """

    def __init__(self, folder: Path, phase: str, monitor: str) -> None:
        super().__init__(
            dirpath=folder,
            filename=f"best-{phase}",
            monitor=f"val/{monitor}",
            mode="max" if higher_is_better(monitor) else "min",
            save_top_k=1,
            save_on_train_epoch_end=True,  # only there can a run be resumed as if it had never stopped
            enable_version_counter=False,
        )
        self.phase = phase
        self.scores: dict[str, float] = {}  # of the validation of the best epoch

    @property
    def state_key(self) -> str:
        """Tells the phases' states apart in a checkpoint."""
        return f"{super().state_key}[{self.phase}]"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves, if the epoch belongs to this phase."""
        if pl_module.phase.name != self.phase:  # type: ignore[union-attr]
            return
        found = trainer.callback_metrics
        if self.check_monitor_top_k(trainer, found.get(str(self.monitor))):
            self.scores = {name.removeprefix("val/"): float(found[name]) for name in found if name.startswith("val/")}
        super().on_train_epoch_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The state, with the scores of the best epoch."""
        return {**super().state_dict(), "scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on comparing with the best score so far, also when the run goes on in another folder."""
        for key in (
            "best_model_score",
            "best_k_models",
            "best_model_path",
            "kth_best_model_path",
            "kth_value",
            "scores",
        ):
            setattr(self, key, state_dict[key])


def last_checkpoint(folder: Path) -> ModelCheckpoint:
    """Writes `last.ckpt` at the end of every epoch."""
    return ModelCheckpoint(
        dirpath=folder,
        filename="last",
        monitor=None,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
