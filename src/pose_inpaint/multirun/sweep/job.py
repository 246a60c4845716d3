"""One job of a sweep, in whatever process the launcher runs it: a fault is recorded, and the sweep goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from pose_inpaint.config.blocks import AUTO
from pose_inpaint.config.overrides import as_value, training_command
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.ranks import SAVING, devices_wanted, must_start_ranks, nodes_wanted
from pose_inpaint.runtime.subprocesses import describe_status, last_lines, run_child
from pose_inpaint.tracking.files import CHECKPOINTS, LAST, LOG
from pose_inpaint.tracking.lock import FolderTakenError, locked
from pose_inpaint.tracking.status import (
    FINISHED,
    INTERRUPTED,
    RUNNING,
    begin_status,
    describe_error,
    failed,
    read_status,
    write_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from omegaconf import DictConfig

STOP = "stop"  # a file in the sweep's folder: no further job begins


class ChildFailedError(RuntimeError):
    """A job that ran in processes of its own ended without saying why."""


def as_job(run: Callable[[DictConfig], float]) -> Callable[[DictConfig], float | None]:
    """A command as a job that Hydra's launchers can send to other processes."""

    def job(config: DictConfig) -> float | None:
        return run_job(run, config)

    return job


def run_job(run: Callable[[DictConfig], float], config: DictConfig) -> float | None:
    """Runs a job, unless it is finished already or the sweep is to stop.

    Returns:
        The optimized metric; None for a job that failed or was not begun, which every sweeper can bear.
    """
    hydra = HydraConfig.get()
    folder, sweep = Path(hydra.runtime.output_dir), Path(hydra.sweep.dir)
    before = read_status(folder)
    if before is not None and before.state == FINISHED:
        return before.value
    if (sweep / STOP).exists():
        if not any(folder.iterdir()):
            folder.rmdir()
        return None
    if config.resume is None or (folder / CHECKPOINTS / LAST).is_file():
        config.resume = AUTO  # of a job that has come so far, also where the sweep gives all a checkpoint to begin from
    overrides = list(hydra.overrides.task)
    status = begin_status(folder, overrides, str(config.optimized_metric))
    began = time.monotonic()
    try:
        if not must_start_ranks(config.trainer):
            return run(config)
        check_launcher(hydra.launcher, config.trainer)
        with locked(folder):
            pass  # else the command would fail, and could not say that it is another's run that goes on
        return _run_apart(folder, [*overrides, f"resume={as_value(config.resume)}"])
    except FolderTakenError as error:
        print(f"job {folder.name} is left alone: {error}", file=sys.stderr, flush=True)
        return None
    except Exception as error:
        after = read_status(folder)
        if after == before:  # the run had not come so far as to record anything
            write_status(folder, failed(status, error, time.monotonic() - began))
        elif after is not None and after.state == RUNNING:  # its process was killed
            write_status(folder, failed(after, error, time.monotonic() - began))
        print(f"job {folder.name} failed: {describe_error(error)}", file=sys.stderr, flush=True)
        if config.sweep.on_error == "stop":
            (sweep / STOP).touch()
        return None


def check_launcher(launcher: Mapping[str, Any], trainer: Mapping[str, Any]) -> None:
    """Several jobs at once would ask for the same devices, and a job has one machine, and one process to start it.

    Args:
        launcher: Hydra's launcher, `hydra.launcher`.
        trainer: the trainer's settings in one of the jobs.

    Raises:
        InputError: jobs on several devices would run side by side, or one would run more than once or on more machines.
    """
    for key in ("nodes", "tasks_per_node"):  # of submitit
        if (launcher.get(key) or 1) > 1:
            raise InputError(f"hydra.launcher.{key}={launcher[key]}: each task would run the whole job; give 1")
    if nodes_wanted(trainer) > 1:
        raise InputError(f"trainer.num_nodes={trainer['num_nodes']}: a job of a sweep has one machine; give 1")
    kind, count = str(launcher.get("_target_")), devices_wanted(trainer)
    at_once = "ray" in kind or "LocalLauncher" in kind or ("joblib" in kind and launcher.get("n_jobs") != 1)
    if count > 1 and at_once:
        raise InputError(
            f"trainer.devices={trainer.get('devices')}: a job takes {count} devices, and this launcher would start "
            "several on the same ones; leave out hydra/launcher, or give trainer.devices=1"
        )


def _run_apart(folder: Path, overrides: list[str]) -> float | None:
    """Runs a job on several devices as a command of its own, so that neither its environment nor its death is ours."""
    log = folder / LOG
    start = log.stat().st_size if log.exists() else 0
    exit_status = run_child(training_command(folder, overrides), log, grace=SAVING)
    after = read_status(folder)
    if exit_status == 0 and after is not None and after.state == FINISHED:
        return after.value
    said = (last_lines(log, start) or ["it said nothing"])[-1]
    raise ChildFailedError(f"{describe_status(exit_status)}: {said}; see {log}")


def mark_interrupted(folders: list[Path]) -> None:
    """Corrects the status of jobs that were ended before they could say so."""
    for folder in folders:
        status = read_status(folder)
        if status is not None and status.state == RUNNING:
            write_status(folder, replace(status, state=INTERRUPTED))
