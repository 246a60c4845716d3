"""Resuming: the checkpoint to resume from, and the check that it belongs to the same run."""

from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pose_inpaint.config.block_schema import AUTO, Phase
from pose_inpaint.config.differences import check_same_settings
from pose_inpaint.errors import InputError
from pose_inpaint.models.release import is_release
from pose_inpaint.runtime.ranks import rank_count
from pose_inpaint.tracking.files import CHECKPOINTS, LAST
from pose_inpaint.training.checkpoint import INITIAL, Checkpoint, read_checkpoint

SAME = (
    "model", "discriminator", "ema", "optim", "loss", "mask", "batchnorm", "seed", "data",
    "trainer.precision", "trainer.limit_train_batches",
)  # fmt: skip
PRECISIONS = {"64": "64-true", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}  # as Lightning takes them
FREE = (
    *INITIAL, "data.workers", "data.packed", "data.batch_size", "data.root", "data.source.root",
    "data.source.extra", "data.source.cache", "mask.root",
)  # fmt: skip
"""Keys that may change: initial weights are replaced by the checkpoint's, a data folder may move, and the batch size is
compared as a total over all devices."""


@dataclass(frozen=True)
class Resumption:
    """Checkpoint to resume from."""

    checkpoint: Checkpoint
    same_folder: bool  # whether the run continues in the checkpoint's folder
    epochs: int  # number of epochs of the whole training
    minutes: float | None = None  # time budget of the whole training

    @property
    def done(self) -> bool:
        """Whether all epochs are trained or the time budget is used up; scoring may be left."""
        used_up = self.minutes is not None and self.checkpoint.seconds >= 60 * self.minutes
        return used_up or self.checkpoint.epoch >= self.epochs

    def describe(self) -> str:
        """Describe in one line what is resumed, and how much is left."""
        checkpoint = self.checkpoint
        partial = f", {checkpoint.batches} batches into the next" if checkpoint.batches else ""
        left = "only scoring is left" if self.done else f"phase {checkpoint.phase}"
        return (
            f"Resumed from {checkpoint.path}: {checkpoint.epoch} of {self.epochs} epochs done{partial}, "
            f"{checkpoint.batches_seen} batches in total; {left}."
        )


def find_resumption(
    resume: str | None, folder: Path, config: dict[str, Any], epochs: int, minutes: float | None, *, finished: bool
) -> Resumption | None:
    """Find the checkpoint to resume from, or return None for a new run.

    Args:
        resume: Path of a checkpoint, AUTO for the last one of `folder` if there is one, or None.
        folder: Folder of the run.
        config: Resolved configuration.
        epochs: Number of epochs of the whole training.
        minutes: Time budget of the whole training, or None.
        finished: Whether the run in the folder has finished.

    Raises:
        InputError: The folder holds another run, the checkpoint has other settings, or nothing is left to train.
    """
    last = folder / CHECKPOINTS / LAST
    automatic = resume == AUTO
    if automatic:
        resume = str(last) if last.is_file() else None
    elif (folder / CHECKPOINTS).exists() and (resume is None or folder.resolve() not in Path(resume).resolve().parents):
        raise InputError(
            f"hydra.run.dir={folder}: holds a run already; choose another folder, or continue with resume=auto"
        )
    if resume is None:
        return None
    if is_release(resume):
        raise InputError(f"resume={resume}: released weights can't be resumed; begin with them by init_from={resume}")
    checkpoint = read_checkpoint(resume, "resume")
    check_same_settings(_comparable(checkpoint.config), _comparable(config), f"resume={resume}", SAME, FREE)
    _check_same_past(checkpoint, config)
    batch, ranks = config["data"]["batch_size"], rank_count()
    if checkpoint.images not in (None, batch * ranks):
        raise InputError(
            f"resume={resume}: trained with {checkpoint.images} images per step, but data.batch_size={batch} on "
            f"{ranks} devices makes {batch * ranks}; use the same number"
        )
    resumption = Resumption(checkpoint, folder.resolve() in Path(resume).resolve().parents, epochs, minutes)
    # All epochs trained but not scored yet: resuming in the same folder catches up on the scoring. resume=auto may be
    # repeated after the end, since jobs that are put back into a queue do that.
    if resumption.done and not automatic and (finished or not resumption.same_folder):
        raise InputError(
            f"resume={resume}: all {checkpoint.epoch} epochs are done; give the last phase of schedule.phases, or "
            "trainer.max_epochs, more epochs"
            if checkpoint.epoch >= epochs
            else f"resume={resume}: the {minutes:g} minutes are used up; give a larger max_minutes"
        )
    return resumption


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Normalise the settings that can be written in several ways."""
    trainer = dict(config["trainer"])
    trainer["precision"] = PRECISIONS.get(str(trainer.get("precision")), trainer.get("precision"))
    if isinstance(trainer.get("limit_train_batches"), float) and trainer["limit_train_batches"] == 1:
        del trainer["limit_train_batches"]  # 1.0 is the whole epoch, the default; the integer 1 is one batch
    return {**config, "trainer": trainer, "data": {"resize": "antialias", **config["data"]}}


def _check_same_past(checkpoint: Checkpoint, config: dict[str, Any]) -> None:
    """Check that the phases that have begun are the same; only the epochs of the current one may differ."""
    left = checkpoint.epoch + (checkpoint.batches > 0)  # epochs begun that the phases below have not accounted for
    try:
        old, new = ([Phase(**phase) for phase in each["schedule"]["phases"]] for each in (checkpoint.config, config))
    except TypeError as error:
        raise InputError(
            f"resume={checkpoint.path}: its schedule.phases are of another version ({error}); resume with that version"
        ) from error
    for index, (before, now) in enumerate(zip_longest(old, new)):
        if left <= 0 or before is None:
            return
        # The checkpoint is inside this phase under both schedules, so its length has had no effect yet.
        if now is not None and left <= min(before.epochs, now.epochs):
            now = replace(now, epochs=before.epochs)
        theirs, ours = asdict(before), asdict(now) if now is not None else {}
        differing = [name for name in theirs if theirs[name] != ours.get(name)]
        if differing:
            name = differing[0]
            raise InputError(
                f"resume={checkpoint.path}: made with schedule.phases.{index}.{name}={theirs[name]}, but this run has "
                f"{ours.get(name)}; change only later phases, or the number of epochs of the current one"
            )
        left -= before.epochs
