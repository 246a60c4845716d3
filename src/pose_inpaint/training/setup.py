"""Preparation of a training: everything is read, checked and built before anything is written."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from pose_inpaint.build import build_data, build_loggers
from pose_inpaint.config.block_schema import AUTO, EACH_PHASE, TRAINING
from pose_inpaint.config.differences import check_same_settings
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import planned_epochs, read_settings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.dataset import collate
from pose_inpaint.data.inspection import Inspection, find_shared, warn_few
from pose_inpaint.errors import InputError
from pose_inpaint.models.pretrained import Pretrained
from pose_inpaint.runtime.files import remove_parts
from pose_inpaint.runtime.ranks import this_rank
from pose_inpaint.tracking.files import CHECKPOINTS, EXAMPLES, HISTORY, LAST, RUN
from pose_inpaint.tracking.history import HistoryLogger
from pose_inpaint.tracking.provenance import describe_run, write_records
from pose_inpaint.tracking.status import FINISHED, Status, read_status
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase, last_checkpoint
from pose_inpaint.training.callbacks.collapse import CollapseGuard
from pose_inpaint.training.callbacks.epoch_lines import EpochLines
from pose_inpaint.training.callbacks.samples import SampleSheet
from pose_inpaint.training.callbacks.time_budget import TimeBudget, TrainingClock
from pose_inpaint.training.callbacks.timed_checkpoint import ProgressKeeper
from pose_inpaint.training.checkpoint import INITIAL, load_weights, read_checkpoint
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.lightning_module import InpaintingModule
from pose_inpaint.training.resume import Resumption, find_resumption
from pose_inpaint.training.sanity_check import check_local_patches, rehearse
from pose_inpaint.training.trainer import build_trainer


@dataclass(frozen=True)
class Training:
    """Training that is ready to start.

    Attributes:
        settings: Checked settings.
        config: Resolved configuration as plain data.
        folder: Folder of the run.
        data: Images and masks.
        module: Networks, losses and schedule.
        trainer: Lightning trainer with callbacks and loggers.
        inspections: Image count and digest of each split.
        resumption: Checkpoint to resume from, or None for a new run.
    """

    settings: TrainSettings
    config: dict[str, Any]
    folder: Path
    data: InpaintingData
    module: InpaintingModule
    trainer: Trainer
    inspections: list[Inspection]
    resumption: Resumption | None

    @property
    def is_scored(self) -> bool:
        """Whether the test split is to be scored and has originals."""
        return any(each.split == "test" and not each.blind for each in self.inspections)


def find_start(settings: TrainSettings, config: dict[str, Any]) -> tuple[Resumption | None, Status | None]:
    """Find the checkpoint to resume from, if any, and the status of the run if it has nothing left to do, else None.

    Raises:
        InputError: The run can't be resumed with these settings.
    """
    folder = Path(settings.run_dir)
    status = read_status(folder)
    finished = status is not None and status.state == FINISHED
    planned = planned_epochs(settings), settings.max_minutes
    resumption = find_resumption(settings.resume, folder, config, *planned, finished=finished)
    return resumption, status if finished and resumption is not None and resumption.done else None


def prepare(settings: TrainSettings, plain: dict[str, Any], resumption: Resumption | None) -> Training:
    """Check and build a training, without writing anything.

    Args:
        settings: Checked settings.
        plain: Resolved configuration as plain data.
        resumption: Checkpoint to resume from, or None for a new run.

    Raises:
        InputError: A setting or an input file can't be used.
    """
    folder = Path(settings.run_dir)
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    data = build_data(settings.data, settings.mask, settings.seed, settings.augment)
    module = build_module(settings, data, plain)
    if resumption is None and settings.init_from is not None:
        checkpoint = read_checkpoint(settings.init_from, "init_from")
        check_same_settings(checkpoint.config, plain, f"init_from={settings.init_from}", ["model"], INITIAL)
        load_weights(module, checkpoint)
    splits = ["train", "val", *(["test"] if settings.test.enabled and data.source.has("test") else [])]
    inspections = data.inspect(*splits)
    shared = find_shared(inspections)
    if shared and this_rank() == 0:
        more = f" (and {len(shared) - 1} more: python -m pose_inpaint.verify lists them)" if shared[1:] else ""
        print(f"warning: {shared[0]}{more}", file=sys.stderr)
    data.check_batch_size()
    _check_warmup(settings, data.count_batches("train"))
    _check_validation(settings, module, data)
    trainer = make_trainer(settings, module, data, folder, resumption)
    check_local_patches(module, data)
    rehearse(module, data)
    return Training(settings, plain, folder, data, module, trainer, inspections, resumption)


def read_checked(config: DictConfig) -> TrainSettings:
    """Read the settings of a training; check also those that a run uses late, and combinations.

    Raises:
        InputError: A setting can't be used.
    """
    settings = read_settings(config, TrainSettings)
    _check(settings)
    return settings


def _check(settings: TrainSettings) -> None:
    if settings.resume not in (None, AUTO) and settings.init_from is not None:
        raise InputError(
            "resume and init_from are both given; resume restores everything, init_from only weights: choose one"
        )
    for key, name in (
        ("checkpoint.monitor", settings.checkpoint.monitor),
        ("optimized_metric", settings.optimized_metric),
    ):
        if name not in settings.validation:
            raise InputError(f"{key}={name}: not one of validation's {settings.validation}")
    if settings.sweep.resume is not None:
        raise InputError(f"sweep.resume={settings.sweep.resume}: only a multirun can resume a sweep; add -m")


def _check_warmup(settings: TrainSettings, batches: int) -> None:
    """Raise `InputError` unless the warm-up fits into what the schedule runs over, in epochs of so many batches."""
    over, warmup = settings.optim.schedule_over, settings.optim.warmup
    spans = {TRAINING: planned_epochs(settings)}
    if over != TRAINING:
        spans = {phase.name: phase.epochs for phase in settings.schedule.phases if over in (EACH_PHASE, phase.name)}
    name = min(spans, key=lambda span: spans[span])
    if warmup > spans[name] * batches:
        what = "training" if over == TRAINING else f"phase {name!r}"
        raise InputError(f"optim.warmup={warmup}: longer than the {what} of {spans[name] * batches} batches")


def _check_validation(settings: TrainSettings, module: InpaintingModule, data: InpaintingData) -> None:
    """Raise `InputError` unless every phase is validated, on at least one batch, for its best checkpoint."""
    share = settings.trainer.get("limit_val_batches")
    batches = data.count_batches("val")
    if isinstance(share, float) and share * batches < 1:
        raise InputError(f"trainer.limit_val_batches={share:g}: less than one of {batches} batches; give 1 or more")
    every, end = settings.trainer.get("check_val_every_n_epoch") or 1, planned_epochs(settings)
    if settings.max_minutes is not None and every > 1:
        raise InputError(
            f"trainer.check_val_every_n_epoch={every}: with max_minutes the last epoch, which may be any, has to be "
            "validated; give 1"
        )
    for phase in module.schedule.phases:
        first = module.schedule.first_epoch(phase.name)
        last = min(first + phase.epochs, end)
        if first < last and last // every == first // every:
            raise InputError(
                f"trainer.check_val_every_n_epoch={every}: phase {phase.name!r} (epochs {first + 1} to {last}) would "
                "not be validated, which selects its best checkpoint; give a smaller number"
            )


def make_trainer(
    settings: TrainSettings,
    module: InpaintingModule,
    data: InpaintingData,
    folder: Path,
    resumption: Resumption | None,
) -> Trainer:
    """Build the trainer with its callbacks and loggers, and cut the history of a resumed run back to its checkpoint."""
    images = data.images("val")
    samples = collate([images[i] for i in range(min(settings.samples.count, len(images)))])
    phases = [phase.name for phase in module.schedule.phases]
    name = settings.samples.beside
    beside = None if name is None else (Path(name).name, Pretrained(name, "samples.beside"))
    callbacks: list[Callback] = [
        SampleSheet(folder, samples, beside),
        CollapseGuard(**vars(settings.guard)),
        ProgressKeeper(folder / CHECKPOINTS / LAST, settings.checkpoint.every_minutes),
        EpochLines(settings.max_minutes),
        TrainingClock() if settings.max_minutes is None else TimeBudget(settings.max_minutes),
        *(BestOfPhase(folder / CHECKPOINTS, phase, settings.checkpoint.monitor) for phase in phases),
        last_checkpoint(folder / CHECKPOINTS),
    ]
    own = resumption is not None and resumption.same_folder and this_rank() == 0  # one rank writes
    loggers: list[Logger] = [HistoryLogger(folder, resumption.checkpoint.batches_seen if own and resumption else None)]
    loggers += build_loggers(settings.logger)
    return build_trainer(settings.trainer, settings.run_dir, module.schedule.epochs, callbacks, loggers)


def describe_training(training: Training) -> dict[str, Any]:
    """Build `run.json`: what `config.yaml` does not say, and the batch counts at which the run was resumed."""
    settings, module, trainer, resumption = training.settings, training.module, training.trainer, training.resumption
    features = settings.loss.features
    used = features is not None and "perceptual" in module.generator_loss.terms
    weights = features.weights if features is not None and used else None
    batch = {
        "devices": trainer.world_size,
        "images_per_step": trainer.world_size * settings.data.batch_size,
        "lr": settings.optim.lr * module.lr_factor,
    }
    resumed: list[int] = []
    if resumption is not None:
        before = training.folder / RUN
        if resumption.same_folder and before.is_file():
            resumed = json.loads(before.read_text(encoding="utf-8")).get("resumed_at_batch", [])
        resumed.append(resumption.checkpoint.batches_seen)
    run = describe_run(training.config, training.inspections, str(trainer.strategy.root_device), weights)
    return {**run, "batch": batch, "resumed_at_batch": resumed}


def write_training(training: Training, run: dict[str, Any]) -> None:
    """Write `config.yaml` and `run.json`; print the batch size of several devices and the checkpoint resumed from.

    What an earlier start left in the folder, unfinished files and the history of a run that isn't resumed, is removed.

    Args:
        training: Training that is about to start.
        run: Content of `run.json`.
    """
    batch, optim = run["batch"], training.settings.optim
    if batch["devices"] > 1:
        print(
            f"{batch['devices']} devices x data.batch_size={training.settings.data.batch_size} = "
            f"{batch['images_per_step']} images per step; optim.lr={optim.lr:g} x {batch['lr'] / optim.lr:g} = "
            f"{batch['lr']:g} (optim.lr_rule={optim.lr_rule})",
            flush=True,
        )
    if training.resumption is not None:
        print(training.resumption.describe(), flush=True)
    for inspection in training.inspections:
        if inspection.split != "train":  # nothing is scored on it
            warn_few(inspection.split, len(training.data.images(inspection.split)))
    for folder in (training.folder, training.folder / CHECKPOINTS, *(training.folder / EXAMPLES).glob("*")):
        remove_parts(folder)
    if training.resumption is None or not training.resumption.same_folder:
        (training.folder / HISTORY).unlink(missing_ok=True)
    write_records(training.folder, training.config, run)
