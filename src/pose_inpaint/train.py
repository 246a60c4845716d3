"""`python -m pose_inpaint.train [+experiment=NAME] [key=value ...]`: trains, then scores the test split."""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from hydra.core.hydra_config import HydraConfig

from pose_inpaint import build
from pose_inpaint.config.command import run_command
from pose_inpaint.config.overrides import training_command
from pose_inpaint.config.settings import plain_config, planned_epochs
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.test_scores import score_test
from pose_inpaint.multirun.sweep.runner import run_sweep
from pose_inpaint.runtime.devices import check_devices
from pose_inpaint.runtime.launcher import run_ranks
from pose_inpaint.runtime.ranks import LostRankError, devices_wanted, must_start_ranks, started_here, this_rank
from pose_inpaint.runtime.signals import ending_by_request
from pose_inpaint.runtime.workers import end_with_parent
from pose_inpaint.tracking.checkpoint_file import CHECKPOINTS, LAST
from pose_inpaint.tracking.lock import locked
from pose_inpaint.tracking.status import FINISHED, read_status, recorded_status
from pose_inpaint.tracking.wandb_scores import log_scores
from pose_inpaint.tracking.wandb_session import recorded
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase
from pose_inpaint.training.checkpoint import check_same_settings, load_weights, read_checkpoint
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.resume import find_resumption
from pose_inpaint.training.sanity_check import check_views, rehearse
from pose_inpaint.training.setup import describe_training, make_trainer, read_checked, write_training
from pose_inpaint.training.trainer import quieten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omegaconf import DictConfig

    from pose_inpaint.config.schema import TrainSettings
    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.training.lightning_module import InpaintingModule
    from pose_inpaint.training.resume import Resumption


def main() -> None:
    """The command."""
    run_command("train", run, sweep=partial(run_sweep, check=read_checked))


def run(config: DictConfig) -> float:
    """Trains as configured and returns the optimized metric at the best epoch of the last phase (for sweeps).

    Raises:
        InputError: something that the user gave can't be used (nothing is written then), or the metric is not finite.
    """
    quieten()
    settings = read_checked(config)
    plain = plain_config(config)
    folder = Path(settings.run_dir)
    check_devices(settings.trainer)
    if must_start_ranks(settings.trainer):
        return _train_in_ranks(settings, folder)
    if started_here():
        end_with_parent()
    try:
        with (
            ending_by_request(folder / CHECKPOINTS / LAST, "outside the training"),
            locked(folder) if this_rank() == 0 else nullcontext(),
        ):
            return _train(settings, plain, folder)
    except OSError as error:
        raise InputError(f"hydra.run.dir={folder}: {error}; once that is mended, go on with resume=auto") from error


def _train_in_ranks(settings: TrainSettings, folder: Path) -> float:
    """Starts a process for each device, each with the settings of this one, and waits for their end."""
    command = training_command(folder, HydraConfig.get().overrides.task)
    exit_status = run_ranks(command, devices_wanted(settings.trainer))
    if exit_status != 0:
        raise SystemExit(exit_status)
    status = read_status(folder)
    return math.nan if status is None or status.value is None else status.value


def _train(settings: TrainSettings, plain: dict[str, Any], folder: Path) -> float:
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    module = build_module(settings, data, plain)
    before = read_status(folder)
    finished = before is not None and before.state == FINISHED
    resumption = find_resumption(settings.resume, folder, plain, planned_epochs(settings), finished=finished)
    if resumption is not None and resumption.done and before is not None and before.value is not None and finished:
        print(f"{folder}: finished, nothing is left to do; {before.metric} {before.value:g}")
        return before.value
    if resumption is None:
        _take_weights(settings, module, plain)
    splits = ["train", "val", *(["test"] if settings.test.enabled and data.source.has("test") else [])]
    inspections = data.inspect(*splits)
    data.train_dataloader()  # refuses a batch size that the split can't fill, before anything is written
    trainer = make_trainer(settings, module, data, folder, resumption)
    check_views(module, data)
    rehearse(module, data)
    records = describe_training(plain, settings, module, inspections, trainer, resumption)
    overrides, writes = list(HydraConfig.get().overrides.task), trainer.is_global_zero
    with (
        recorded(trainer.loggers, {**plain, "run": records}),
        recorded_status(folder, overrides, settings.optimized_metric, writes=writes) as result,
    ):
        if writes:
            write_training(folder, plain, settings, records, resumption)
        _fit(trainer, module, data, resumption)
        best = _best(trainer)
        if writes and "test" in splits and not _is_blind(inspections):
            wanted = best if settings.test.checkpoint == "best" else None
            scored = score_test(settings, data, inspections[-1], folder, wanted, trainer.strategy.root_device)
            log_scores(trainer.loggers, scored)
        result.scores = best.scores
        result.value = _check_finite(settings.optimized_metric, best.scores)
    return result.value


def _take_weights(settings: TrainSettings, module: InpaintingModule, plain: dict[str, Any]) -> None:
    if settings.init_from is not None:
        checkpoint = read_checkpoint(settings.init_from, "init_from")
        check_same_settings(checkpoint, plain, "init_from", ["model"])
        load_weights(module, checkpoint)


def _fit(trainer: pl.Trainer, module: InpaintingModule, data: InpaintingData, resumption: Resumption | None) -> None:
    """Trains.

    Raises:
        InputError: a process that reads images was ended.
        LostRankError: another rank ended.
    """
    checkpoint = str(resumption.checkpoint.path) if resumption is not None else None
    try:
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except RuntimeError as error:
        if "DataLoader worker" in str(error):
            raise InputError(
                f"data.workers: a process that reads images was ended ({str(error).splitlines()[-1].strip()}); if "
                "for want of memory, give fewer; go on with resume=auto"
            ) from error
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
        if trainer.world_size > 1 and lost:
            raise LostRankError(str(error).splitlines()[0]) from error
        raise


def _check_finite(metric: str, scores: Mapping[str, float]) -> float:
    value = scores.get(metric, math.nan)
    if not math.isfinite(value):
        raise InputError(
            f"optimized_metric={metric}: {value} at the best epoch; look at metrics.csv, try a smaller optim.lr"
        )
    return value


def _is_blind(inspections: list[Inspection]) -> bool:
    return any(found.blind for found in inspections if found.split == "test")


def _best(trainer: pl.Trainer) -> BestOfPhase:
    """Of the last phase that training reached."""
    kept = [callback for callback in trainer.callbacks if isinstance(callback, BestOfPhase)]  # type: ignore[attr-defined]
    return next((callback for callback in reversed(kept) if callback.scores), kept[-1])


if __name__ == "__main__":
    main()
