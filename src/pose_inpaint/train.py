"""`python -m pose_inpaint.train [+experiment=NAME] [key=value ...]`: trains, then scores the test split."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from omegaconf import DictConfig

    from pose_inpaint.config.command import Command
    from pose_inpaint.config.schema import TrainSettings

LESS_MEMORY = "give a smaller data.batch_size, data.size or model.width, or free memory and continue with resume=auto"

# Modules that need PyTorch are imported after Hydra has composed, so that --help and --cfg are fast.


def main() -> None:
    """Run the command."""
    run_command("train", run, sweep=sweep)


def sweep(arguments: list[str], command: Command, launch: Callable[[list[str], Command], None]) -> None:
    """Run a multirun of the command."""
    from pose_inpaint.multirun.sweep.runner import run_sweep
    from pose_inpaint.training.setup import read_checked

    run_sweep(arguments, command, launch, read_checked, check_job)


def check_job(config: DictConfig) -> None:
    """Prepare a training of a sweep in this process, without writing anything, for the faults that this shows.

    Raises:
        InputError: A setting or an input file can't be used.
    """
    from hydra import initialize_config_dir

    from pose_inpaint.config.command import CONF
    from pose_inpaint.config.settings import plain_config
    from pose_inpaint.evaluation.after_training import prepare_scoring
    from pose_inpaint.runtime.devices import check_devices
    from pose_inpaint.training.setup import find_start, prepare, read_checked
    from pose_inpaint.training.trainer import quieten

    quieten()
    settings, plain = read_checked(config), plain_config(config)
    check_devices(settings.trainer)
    settings.trainer["devices"] = 1  # ranks would be processes of their own
    resumption, _ = find_start(settings, plain)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        prepare_scoring(prepare(settings, plain, resumption))


def run(config: DictConfig) -> float:
    """Train as configured and return the optimized metric at the best epoch of the last phase (for sweeps).

    Raises:
        InputError: A setting or an input file can't be used (then nothing is written), or the metric is not finite.
    """
    from pose_inpaint.runtime.ranks import launcher_process, must_start_ranks, this_rank
    from pose_inpaint.runtime.workers import end_with_parent

    launcher = launcher_process()
    if launcher is not None:
        end_with_parent(launcher)  # before PyTorch is imported
    from pose_inpaint.runtime.devices import check_devices
    from pose_inpaint.runtime.signals import ending_by_request
    from pose_inpaint.tracking.files import CHECKPOINTS, LAST
    from pose_inpaint.tracking.lock import locked
    from pose_inpaint.training.setup import read_checked
    from pose_inpaint.training.trainer import quieten

    quieten()
    settings = read_checked(config)
    folder = Path(settings.run_dir)
    check_devices(settings.trainer)
    if must_start_ranks(settings.trainer):
        return _train_in_ranks(settings, folder)
    try:
        with (
            ending_by_request(folder / CHECKPOINTS / LAST, "outside the training"),
            locked(folder, command="train") if this_rank() == 0 else nullcontext(),
        ):
            return _train(settings, config)
    except OSError as error:
        raise InputError(f"hydra.run.dir={folder}: {error}; fix that, then continue with resume=auto") from error


def _train_in_ranks(settings: TrainSettings, folder: Path) -> float:
    """Start one process per device with the same settings, and wait for them."""
    from hydra.core.hydra_config import HydraConfig

    from pose_inpaint.config.overrides import training_command
    from pose_inpaint.runtime.launcher import run_ranks
    from pose_inpaint.runtime.ranks import devices_wanted
    from pose_inpaint.tracking.status import read_status

    command = training_command(folder, HydraConfig.get().overrides.task)
    exit_status = run_ranks(command, devices_wanted(settings.trainer))
    if exit_status != 0:
        raise SystemExit(exit_status)
    status = read_status(folder)
    return math.nan if status is None or status.value is None else status.value


def _train(settings: TrainSettings, composed: DictConfig) -> float:
    """Prepare, write, fit, score."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from pose_inpaint.config.settings import plain_config
    from pose_inpaint.config.unread import warn_unread
    from pose_inpaint.evaluation.after_training import prepare_scoring, score_test
    from pose_inpaint.evaluation.wandb_scores import log_scores
    from pose_inpaint.runtime.devices import explained_memory
    from pose_inpaint.tracking.session import recorded
    from pose_inpaint.tracking.status import recorded_status
    from pose_inpaint.training.fit import check_finite, fit
    from pose_inpaint.training.setup import describe_training, find_start, prepare, write_training

    config = plain_config(composed)
    resumption, finished = find_start(settings, config)
    if finished is not None and finished.value is not None:
        how = "finished"
        if finished.ended_by == "max_minutes":
            how = f"ended by max_minutes in phase {finished.phases[-1]}"
        print(f"{settings.run_dir}: {how}, nothing left to do; {finished.metric} {finished.value:g} (val split)")
        return finished.value
    with explained_memory(LESS_MEMORY):
        training = prepare(settings, config, resumption)
        scoring = prepare_scoring(training)
    trainer = training.trainer
    records = describe_training(training)
    overrides, writes = list(HydraConfig.get().overrides.task), trainer.is_global_zero
    with (
        recorded(trainer.loggers, {**training.config, "run": records}),
        recorded_status(training.folder, overrides, settings.optimized_metric, writes=writes) as result,
        explained_memory(LESS_MEMORY),
    ):
        if writes:
            if HydraConfig.get().mode != RunMode.MULTIRUN:  # a sweep has said it
                warn_unread(composed, overrides)
            write_training(training, records)
        best = fit(training)
        result.ended_by = "max_minutes" if training.module.cut_short else "epochs"
        result.phases = training.module.phases_begun
        if writes and scoring is not None:
            log_scores(trainer.loggers, score_test(training, scoring, best))
        result.scores = best.scores
        if writes and settings.optimized_metric in best.scores:
            most = sum(map(int, trainer.num_val_batches)) * settings.data.batch_size * trainer.world_size
            n, value = min(len(training.data.images("val")), most), best.scores[settings.optimized_metric]
            print(f"Best epoch of phase {best.phase}: {settings.optimized_metric} {value:.6g} (val split, n {n}).")
        result.value = check_finite(settings.optimized_metric, best.scores)
    return result.value


if __name__ == "__main__":
    main()
