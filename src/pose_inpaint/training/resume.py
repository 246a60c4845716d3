"""Going on with a run: from which checkpoint, whether it is the same run, and what is said about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.config.blocks import AUTO, Phase
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.ranks import rank_count
from pose_inpaint.tracking.files import CHECKPOINTS, LAST
from pose_inpaint.training.checkpoint import check_same_settings, read_checkpoint

if TYPE_CHECKING:
    from pose_inpaint.training.checkpoint import Checkpoint

SAME = (
    "model", "discriminator", "ema", "optim", "loss", "mask", "batchnorm", "seed", "data",
    "trainer.precision", "trainer.limit_train_batches",
)  # fmt: skip
PRECISIONS = {"64": "64-true", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}  # as Lightning takes them
FREE = ("data.workers", "data.batch_size", "data.root", "data.source.root", "data.source.cache", "mask.root")
"""Keys that leave the run what it was: a data folder may move, and batches are compared over all devices together."""


@dataclass(frozen=True)
class Resumption:
    """A checkpoint to go on from.

    Attributes:
        checkpoint: the checkpoint.
        same_folder: whether the run goes on in the folder that it began in.
        epochs: that there are to train.
    """

    checkpoint: Checkpoint
    same_folder: bool
    epochs: int

    @property
    def done(self) -> bool:
        """Whether all epochs are trained, so that at most the scoring is left."""
        return self.checkpoint.epoch >= self.epochs

    def describe(self) -> str:
        """What is resumed from where, in a line."""
        found = self.checkpoint
        place = f", {found.batches} batches into the next" if found.batches else ""
        left = "only the scoring is left" if self.done else f"phase {found.phase}"
        return (
            f"Resumed from {found.path}: {found.epoch} of {self.epochs} epochs done{place}, "
            f"{found.batches_seen} batches in all; {left}."
        )


def find_resumption(
    resume: str | None, folder: Path, config: dict[str, Any], epochs: int, *, finished: bool
) -> Resumption | None:
    """What to go on from, or None for a run that begins.

    Args:
        resume: a checkpoint; AUTO for the newest of `folder` if it has one; None.
        folder: of the run.
        config: the resolved configuration.
        epochs: that there are to train.
        finished: whether the folder's run ended well.

    Raises:
        InputError: the folder holds another run, or the checkpoint is of one with other settings, or done with.
    """
    last = folder / CHECKPOINTS / LAST
    automatic = resume == AUTO
    if automatic:
        resume = str(last) if last.is_file() else None
    elif (folder / CHECKPOINTS).exists() and (resume is None or folder.resolve() not in Path(resume).resolve().parents):
        raise InputError(
            f"hydra.run.dir={folder}: holds a run already; choose another folder, or go on with resume=auto"
        )
    if resume is None:
        return None
    checkpoint = read_checkpoint(resume, "resume")
    comparable = replace(checkpoint, config=_comparable(checkpoint.config))
    check_same_settings(comparable, _comparable(config), "resume", SAME, FREE)
    _check_same_past(checkpoint, config)
    batch, ranks = config["data"]["batch_size"], rank_count()
    if checkpoint.images not in (None, batch * ranks):
        raise InputError(
            f"resume={resume}: trained with {checkpoint.images} images per step, but data.batch_size={batch} on "
            f"{ranks} devices makes {batch * ranks}; give the same"
        )
    found = Resumption(checkpoint, folder.resolve() in Path(resume).resolve().parents, epochs)
    if found.done and not automatic and (finished or not found.same_folder):
        raise InputError(
            f"resume={resume}: all {checkpoint.epoch} epochs are done; give the last phase of "
            "schedule.phases, or trainer.max_epochs, more epochs"
        )
    return found


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with what can be written in several ways written in one."""
    trainer = dict(config["trainer"])
    trainer["precision"] = PRECISIONS.get(str(trainer.get("precision")), trainer.get("precision"))
    if isinstance(trainer.get("limit_train_batches"), float) and trainer["limit_train_batches"] == 1:
        del trainer["limit_train_batches"]  # all; the number 1 would be one batch
    return {**config, "trainer": trainer}


def _check_same_past(checkpoint: Checkpoint, config: dict[str, Any]) -> None:
    """Compares the phases that have begun: the last of them may have more epochs or fewer, and no other change.

    Raises:
        InputError: another schedule led to the checkpoint; the message names a key.
    """
    begun = checkpoint.epoch + (checkpoint.batches > 0)  # epochs
    try:
        old, new = ([Phase(**phase) for phase in found["schedule"]["phases"]] for found in (checkpoint.config, config))
    except TypeError as error:
        raise InputError(
            f"resume={checkpoint.path}: its schedule.phases are of another version ({error}); go on with that"
        ) from error
    for place, (before, now) in enumerate(zip_longest(old, new)):
        if begun <= 0 or before is None:
            return
        if now is not None and begun <= min(before.epochs, now.epochs):  # the last that has begun
            now = replace(now, epochs=before.epochs)
        theirs, ours = asdict(before), asdict(now) if now is not None else {}
        differing = [name for name in theirs if theirs[name] != ours.get(name)]
        if differing:
            name = differing[0]
            raise InputError(
                f"resume={checkpoint.path}: made with schedule.phases.{place}.{name}={theirs[name]}, but this run has "
                f"{ours.get(name)}; change only phases that are to come, or the epochs of the one under way"
            )
        begun -= before.epochs
