"""Train and score one method of a benchmark with the `train` and `evaluate` commands."""

import shlex
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path

from pose_inpaint.config.overrides import as_value
from pose_inpaint.config.settings import planned_epochs
from pose_inpaint.errors import InputError
from pose_inpaint.multirun.benchmark.plan import Plan
from pose_inpaint.multirun.benchmark.record import stages_done, write_record
from pose_inpaint.runtime.subprocesses import Start, describe_status, last_lines, run_child
from pose_inpaint.tracking.files import CHECKPOINTS, LAST, LOG
from pose_inpaint.training.checkpoint import read_checkpoint

DOING = {"train": "training", "evaluate": "scoring"}
ROOMS = ("data", "models", "losses", "pose", "metrics", "tracking", "training", "evaluation")
IMPORTED = (*(f"pose_inpaint.{room}.*" for room in ROOMS), "torch.distributed", "torch._dynamo")
"""What stages import sooner or later; the last, at an optimizer's first step."""


def complete_method(plan: Plan, output: Path, label: str, start: Start, *, redo: bool) -> str | None:
    """Run the missing stages of a method, all with `redo`; return a description of the failure, or None on success."""
    folder = output / plan.name
    if redo and folder.exists():
        shutil.rmtree(folder)
    done = stages_done(folder, plan.key, plan.settings)
    if done == plan.stages:
        _say(f"{label}: already scored")
        return None
    write_record(folder, plan.settings, done)
    if not done:
        (folder / LOG).unlink(missing_ok=True)
    for stage in plan.stages:
        if stage in done:
            continue
        status = _run_stage(plan, stage, folder, label, start)
        if status != 0:
            return f"{DOING[stage]}, {describe_status(status)}; see {folder / LOG}"
        done.append(stage)
        write_record(folder, plan.settings, done)
    return None


def _run_stage(plan: Plan, stage: str, folder: Path, label: str, start: Start) -> int:
    """Run one command, print it, its duration and, on failure, its last lines; return its exit status."""
    into = folder / stage
    if stage == "evaluate":
        shutil.rmtree(into, ignore_errors=True)  # output of an interrupted scoring
        arguments = [*plan.evaluate.arguments, *_trained_checkpoint(plan, folder)]
    else:
        resuming = resumption(into, plan)
        if resuming is None:
            _say(f"{label}: already trained")
            return 0
        arguments = [*(plan.train.arguments if plan.train else []), *resuming]
    command = [sys.executable, "-m", f"pose_inpaint.{stage}", *arguments, f"hydra.run.dir={as_value(str(into))}"]
    log = folder / LOG
    size = log.stat().st_size if log.exists() else 0
    _say(f"{label}: {DOING[stage]}\n{shlex.join(command)}")
    began = time.monotonic()
    status = run_child(command, log, start=start)
    took = timedelta(seconds=round(time.monotonic() - began))
    _say(f"{label}: {DOING[stage]} {'failed' if status else 'done'} after {took}")
    if status != 0:
        for line in last_lines(log, size):
            print(f"  {line}", file=sys.stderr, flush=True)
    return status


def resumption(folder: Path, plan: Plan) -> list[str] | None:
    """Overrides that resume an interrupted training; None if all its epochs are done.

    Without a readable checkpoint the folder is removed and the training starts again.
    """
    last = folder / CHECKPOINTS / LAST
    try:
        epochs = read_checkpoint(last).epoch
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        return []
    if plan.training is not None and epochs >= planned_epochs(plan.training):
        return None
    return [f"resume={as_value(str(last))}"]


def _trained_checkpoint(plan: Plan, folder: Path) -> list[str]:
    """Override with the checkpoint that the training's `test.checkpoint` selects; empty for an untrained method."""
    if plan.training is None:
        return []
    checkpoints = folder / "train" / CHECKPOINTS
    best = checkpoints / f"best-{plan.training.schedule.phases[-1].name}.ckpt"
    chosen = best if plan.training.test.checkpoint == "best" and best.is_file() else checkpoints / LAST
    return [f"checkpoint={as_value(str(chosen))}"]


def _say(line: str) -> None:
    print(line, flush=True)
