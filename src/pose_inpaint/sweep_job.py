"""One job of a sweep, in whatever process the launcher runs it: a fault is recorded, and the sweep goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

from pose_inpaint.child_process import describe_status, last_lines, run_child
from pose_inpaint.overrides import as_value
from pose_inpaint.ranks import must_start_ranks
from pose_inpaint.status import (
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
    from collections.abc import Callable, Sequence

    from omegaconf import DictConfig

AUTO = "auto"  # of `resume`: from the run's own last checkpoint, if there is one
STOP = "stop"  # a file in the sweep's folder: no further job begins
LOG = "log.txt"


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
    if config.resume is None or before is not None:
        config.resume = AUTO
    overrides = list(hydra.overrides.task)
    status = begin_status(folder, overrides, str(config.optimized_metric))
    began = time.monotonic()
    try:
        return _run_apart(folder, overrides) if must_start_ranks(config.trainer) else run(config)
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


def training_command(folder: Path, overrides: Sequence[str]) -> list[str]:
    """The command that trains as this one was asked to, in a process of its own.

    Args:
        folder: of the run.
        overrides: of its configuration.
    """
    searchpath = [override for override in HydraConfig.get().overrides.hydra if override.startswith("hydra.searchpath")]
    run_dir = f"hydra.run.dir={as_value(str(folder))}"
    return [sys.executable, "-m", "pose_inpaint.train", *overrides, *searchpath, run_dir]


def _run_apart(folder: Path, overrides: list[str]) -> float | None:
    """Runs a job on several devices as a command of its own, so that neither its environment nor its death is ours."""
    log = folder / LOG
    start = log.stat().st_size if log.exists() else 0
    exit_status = run_child([*training_command(folder, overrides), f"resume={AUTO}"], log)
    after = read_status(folder)
    if exit_status == 0 and after is not None and after.state == FINISHED:
        return after.value
    said = (last_lines(log, start) or ["it said nothing"])[-1]
    message = f"{describe_status(exit_status)}: {said}; see {log}"
    raise ChildFailedError(message)


def mark_interrupted(folders: list[Path]) -> None:
    """Corrects the status of jobs that were ended before they could say so."""
    for folder in folders:
        status = read_status(folder)
        if status is not None and status.state == RUNNING:
            write_status(folder, replace(status, state=INTERRUPTED))
