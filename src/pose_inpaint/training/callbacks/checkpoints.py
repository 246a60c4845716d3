"""Checkpoints of a run: the best of each phase, and the last."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from pose_inpaint.metrics.score_names import higher_is_better


class BestOfPhase(ModelCheckpoint):
    """Keeps the best checkpoint of one phase, by a validation score METRIC_IMAGE_REGION, as `best-PHASE.ckpt`.

    A single one for all phases would stay in the reconstruction phase, since adversarial training costs PSNR.
    """

    def __init__(self, folder: Path, phase: str, monitor: str) -> None:
        super().__init__(
            dirpath=folder,
            filename=f"best-{phase}",
            monitor=f"val/{monitor}",
            mode="max" if higher_is_better(monitor) else "min",
            save_top_k=1,
            save_on_train_epoch_end=True,  # only there does resuming repeat an unbroken run
            enable_version_counter=False,
        )
        self.phase = phase
        self.scores: dict[str, float] = {}  # validation scores of the best epoch

    @property
    def state_key(self) -> str:
        """Key that tells the phases' states apart in a checkpoint."""
        return f"{super().state_key}[{self.phase}]"

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if the epoch belongs to this phase and is its best."""
        if pl_module.phase.name != self.phase:  # type: ignore[union-attr]
            return
        logged = trainer.callback_metrics
        if self.check_monitor_top_k(trainer, logged.get(str(self.monitor))):
            self.scores = {name.removeprefix("val/"): float(logged[name]) for name in logged if name.startswith("val/")}
        super().on_train_epoch_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the scores of the best epoch."""
        return {**super().state_dict(), "scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score, also in another folder, where Lightning would start over."""
        best = ("best_model_score", "best_k_models", "best_model_path")
        for key in (*best, "kth_best_model_path", "kth_value", "scores"):
            setattr(self, key, state_dict[key])


def last_checkpoint(folder: Path) -> ModelCheckpoint:
    """Build the callback that writes `last.ckpt` at the end of every epoch."""
    return ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
