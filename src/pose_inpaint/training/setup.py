"""What surrounds a training: checks of its settings, its trainer, what is written and said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.config import instantiate
from pose_inpaint.config.schema import AUTO, TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.data.dataset import collate
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import remove_parts
from pose_inpaint.runtime.ranks import this_rank
from pose_inpaint.tracking.checkpoint_file import CHECKPOINTS, LAST
from pose_inpaint.tracking.history import history_logger
from pose_inpaint.tracking.provenance import describe_run, write_records
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase, last_checkpoint
from pose_inpaint.training.callbacks.collapse import CollapseGuard
from pose_inpaint.training.callbacks.samples import SampleSheet
from pose_inpaint.training.callbacks.timed_checkpoint import ProgressKeeper
from pose_inpaint.training.trainer import build_trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.loggers import Logger
    from omegaconf import DictConfig

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.training.lightning_module import InpaintingModule
    from pose_inpaint.training.resume import Resumption


def read_checked(config: DictConfig) -> TrainSettings:
    """The settings of a training. Refuses also what is used late in a run only, and what can't be together.

    Raises:
        InputError: a setting can't be used.
    """
    settings = read_settings(config, TrainSettings)
    _check(settings)
    return settings


def _check(settings: TrainSettings) -> None:
    if settings.resume not in (None, AUTO) and settings.init_from is not None:
        raise InputError(
            "resume and init_from are both given; resume takes everything, init_from only weights: choose one"
        )
    for key, name in (
        ("checkpoint.monitor", settings.checkpoint.monitor),
        ("optimized_metric", settings.optimized_metric),
    ):
        if name not in settings.validation:
            raise InputError(f"{key}={name}: not one of validation's {settings.validation}")
    if settings.sweep.resume is not None:
        raise InputError(f"sweep.resume={settings.sweep.resume}: only a multirun goes on with a sweep; add -m")
    if settings.checkpoint.every_minutes is not None and not settings.checkpoint.every_minutes >= 0:
        raise InputError(
            f"checkpoint.every_minutes={settings.checkpoint.every_minutes}: must be at least 0, or null for none"
        )
    if settings.test.checkpoint not in ("best", "last"):
        raise InputError(f"test.checkpoint={settings.test.checkpoint}: not one of best, last")
    if settings.samples.count < 1:
        raise InputError(f"samples.count={settings.samples.count}: must be at least 1")
    CollapseGuard(**vars(settings.guard))


def make_trainer(
    settings: TrainSettings,
    module: InpaintingModule,
    data: InpaintingData,
    folder: Path,
    resumption: Resumption | None,
) -> Trainer:
    """Lightning's trainer with all that a training writes; of one that goes on, the history is cut back already."""
    images = data.images("val")
    samples = collate([images[i] for i in range(min(settings.samples.count, len(images)))])
    phases = [phase.name for phase in module.schedule.phases]
    callbacks: list[Callback] = [
        SampleSheet(folder, samples),
        CollapseGuard(**vars(settings.guard)),
        ProgressKeeper(folder / CHECKPOINTS / LAST, settings.checkpoint.every_minutes),
    ]
    callbacks += [BestOfPhase(folder / CHECKPOINTS, phase, settings.checkpoint.monitor) for phase in phases]
    callbacks.append(last_checkpoint(folder / CHECKPOINTS))
    own = resumption is not None and resumption.same_folder and this_rank() == 0  # one rank writes
    loggers: list[Logger] = [history_logger(folder, resumption.checkpoint.batches_seen if own and resumption else None)]
    if settings.logger.get("_target_"):
        loggers.append(instantiate.build("logger", settings.logger))
    return build_trainer(settings.trainer, settings.run_dir, module.schedule.epochs, callbacks, loggers)


def describe_training(
    config: dict[str, Any],
    settings: TrainSettings,
    module: InpaintingModule,
    inspections: Sequence[Inspection],
    trainer: Trainer,
    resumption: Resumption | None,
) -> dict[str, Any]:
    """What `run.json` holds of a run: all that `config.yaml` does not say.

    Of a run that goes on also after how many batches it did, each time that it did in its own folder.
    """
    features = settings.loss.features
    counts = features is not None and "perceptual" in module.generator_loss.terms
    weights = features.weights if features is not None and counts else None
    batch = {
        "devices": trainer.world_size,
        "images_per_step": trainer.world_size * settings.data.batch_size,
        "lr": settings.optim.lr * module.lr_factor,
    }
    resumed: list[int] = []
    if resumption is not None:
        before = Path(settings.run_dir) / "run.json"
        if resumption.same_folder and before.is_file():
            resumed = json.loads(before.read_text(encoding="utf-8")).get("resumed_at_batch", [])
        resumed.append(resumption.checkpoint.batches_seen)
    found = describe_run(config, inspections, str(trainer.strategy.root_device), weights)
    return {**found, "batch": batch, "resumed_at_batch": resumed}


def write_training(
    folder: Path, config: dict[str, Any], settings: TrainSettings, run: dict[str, Any], resumption: Resumption | None
) -> None:
    """Writes what repeats a run, and says what many devices make of a step and what is resumed from where."""
    batch = run["batch"]
    if batch["devices"] > 1:
        print(
            f"{batch['devices']} devices x data.batch_size={settings.data.batch_size} = {batch['images_per_step']} "
            f"images per step; optim.lr={settings.optim.lr:g} x {batch['lr'] / settings.optim.lr:g} = {batch['lr']:g} "
            f"(optim.lr_rule={settings.optim.lr_rule})",
            flush=True,
        )
    if resumption is not None:
        print(resumption.describe(), flush=True)
    for place in (folder, folder / CHECKPOINTS):
        remove_parts(place)
    write_records(folder, config, run)
