"""One job of a sweep, in the launcher's process: an error is recorded and the sweep continues."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from pose_inpaint.config.block_schema import AUTO
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

STOP = "stop"  # while this file is in the sweep's folder, no further job starts


class ChildFailedError(RuntimeError):
    """The process of a job failed."""


def as_job(run: Callable[[DictConfig], float]) -> Callable[[DictConfig], float | None]:
    """Wrap a command as a job that Hydra's launchers can send to other processes."""

    def job(config: DictConfig) -> float | None:
        return run_job(run, config)

    return job


def run_job(run: Callable[[DictConfig], float], config: DictConfig) -> float | None:
    """Run a job and return its metric, unless it has finished already or the sweep is stopping.

    Returns None, which every sweeper accepts, if the job failed or didn't start.
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
        config.resume = AUTO  # its own checkpoint takes precedence over one that the sweep gives all jobs
    overrides = list(hydra.overrides.task)
    status = begin_status(folder, overrides, str(config.optimized_metric))
    began = time.monotonic()
    try:
        if not must_start_ranks(config.trainer):
            return run(config)
        check_launcher(hydra.launcher, config.trainer)
        with locked(folder):
            pass  # raises here if another process runs the job; the command below could only fail
        return _run_apart(folder, [*overrides, f"resume={as_value(config.resume)}"])
    except FolderTakenError as error:
        print(f"skipped job {folder.name}: {error}", file=sys.stderr, flush=True)
        return None
    except Exception as error:
        after = read_status(folder)
        if after == before:  # the run failed before it wrote a status
            write_status(folder, failed(status, error, time.monotonic() - began))
        elif after is not None and after.state == RUNNING:  # its process was killed
            write_status(folder, failed(after, error, time.monotonic() - began))
        print(f"job {folder.name} failed: {describe_error(error)}", file=sys.stderr, flush=True)
        if config.sweep.on_error == "stop":
            (sweep / STOP).touch()
        return None


def check_launcher(launcher: Mapping[str, Any], trainer: Mapping[str, Any]) -> None:
    """Check that Hydra's launcher gives each job its own devices, one machine and one starting process.

    Raises:
        InputError: Jobs on several devices would run at once, or a job would run several times or on several machines.
    """
    for key in ("nodes", "tasks_per_node"):  # submitit
        if (launcher.get(key) or 1) > 1:
            raise InputError(f"hydra.launcher.{key}={launcher[key]}: each task would run the whole job; give 1")
    if nodes_wanted(trainer) > 1:
        raise InputError(f"trainer.num_nodes={trainer['num_nodes']}: a job of a sweep runs on one machine; give 1")
    kind, count = str(launcher.get("_target_")), devices_wanted(trainer)
    at_once = "ray" in kind or "LocalLauncher" in kind or ("joblib" in kind and launcher.get("n_jobs") != 1)
    if count > 1 and at_once:
        raise InputError(
            f"trainer.devices={trainer.get('devices')}: a job takes {count} devices, and this launcher would start "
            "several jobs on the same ones; leave out hydra/launcher, or give trainer.devices=1"
        )


def _run_apart(folder: Path, overrides: list[str]) -> float | None:
    """Run a job on several devices as a separate command, isolating its environment variables and crashes."""
    log = folder / LOG
    start = log.stat().st_size if log.exists() else 0
    exit_status = run_child(training_command(folder, overrides), log, grace=SAVING)
    after = read_status(folder)
    if exit_status == 0 and after is not None and after.state == FINISHED:
        return after.value
    last = (last_lines(log, start) or ["no output"])[-1]
    raise ChildFailedError(f"{describe_status(exit_status)}: {last}; see {log}")


def mark_interrupted(folders: list[Path]) -> None:
    """Mark jobs that were killed while running as interrupted."""
    for folder in folders:
        status = read_status(folder)
        if status is not None and status.state == RUNNING:
            write_status(folder, replace(status, state=INTERRUPTED))
