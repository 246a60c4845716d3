"""Run a sweep: checks before the first job, tables and messages after the last.

Hydra's sweepers choose the jobs and its launchers run them.
"""

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from pose_inpaint.config.command import Command
from pose_inpaint.config.resolvers import RECORD
from pose_inpaint.errors import InputError
from pose_inpaint.multirun.sweep.job import STOP, as_job, mark_interrupted
from pose_inpaint.multirun.sweep.optuna_study import enqueue_unfinished, study_arguments
from pose_inpaint.multirun.sweep.plan import Plan, hydra_arguments, plan_sweep
from pose_inpaint.multirun.sweep.record import read_record, replace_record, write_record
from pose_inpaint.multirun.sweep.summary import job_folders, read_jobs, write_summary
from pose_inpaint.runtime.ranks import rank_count
from pose_inpaint.runtime.signals import BY_CTRL_C, STOPPED, ending_by_exception, let_go_of_closed_outputs
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked
from pose_inpaint.tracking.status import FAILED, FINISHED, INTERRUPTED


def run_sweep(
    arguments: Sequence[str],
    run: Command,
    launch: Callable[[list[str], Command], None],
    check: Callable[[DictConfig], object],
) -> None:
    """Run a sweep.

    Args:
        arguments: Command-line arguments.
        run: Command to sweep; it returns the optimized metric.
        launch: Function that runs Hydra with a command line and the job.
        check: Function that raises `InputError` if a job's configuration has invalid settings.

    Raises:
        InputError: The sweep is invalid; nothing has been written.
        SystemExit: 1 if a job failed or didn't start, 75 after SIGTERM, 130 after Ctrl-C.
    """
    if rank_count() > 1:
        raise InputError(
            f"-m: this process is one of {rank_count()}, and each would run the whole sweep; start it without "
            "torchrun or srun and set trainer.devices for its jobs"
        )
    plan = plan_sweep(arguments, check)
    more, left = study_arguments(plan) if plan.uses_optuna else ([], plan.record.jobs)
    with locked(plan.folder, "hydra.sweep.dir"):
        status = _run(plan, more, left, run, launch)
        complete = _conclude(plan)
    if status or not complete:
        raise SystemExit(status or 1)


def _run(plan: Plan, more: list[str], left: int, run: Command, launch: Callable[[list[str], Command], None]) -> int:
    """Run the jobs with Hydra; return the exit status of an interruption, else 0."""
    _begin(plan)
    try:
        with ending_by_exception():
            if left > 0:
                launch(hydra_arguments(plan, *more), as_job(run))
    except (KeyboardInterrupt, SystemExit) as stop:
        let_go_of_closed_outputs()
        (plan.folder / STOP).touch()  # stops jobs that a launcher has queued elsewhere
        _mark_interrupted(plan)
        by_ctrl_c = isinstance(stop, KeyboardInterrupt) or stop.code in (BY_CTRL_C, None)
        return BY_CTRL_C if by_ctrl_c else STOPPED
    except Exception as error:
        if not job_folders(plan.folder):
            _take_back(plan)
            raise
        if not isinstance(error, ValueError):  # Optuna raises it if no trial is complete, which `_conclude` reports
            print(f"the sweep failed: {type(error).__name__}: {error}", file=sys.stderr)
            _mark_interrupted(plan)
    return 0


def _begin(plan: Plan) -> None:
    if plan.continued:
        (plan.folder / STOP).unlink(missing_ok=True)
        replace_record(plan.folder, plan.record)
    else:
        write_record(plan.folder, plan.record)
    if plan.uses_optuna:
        enqueue_unfinished(plan)
    print(f"Sweep: {plan.folder}", flush=True)


def _take_back(plan: Plan) -> None:
    """Remove the files of a new sweep that failed before its first job."""
    if plan.continued:
        return
    for name in (RECORD, LOCK, "multirun.yaml", "study.db"):
        (plan.folder / name).unlink(missing_ok=True)
    shutil.rmtree(plan.folder / ".submitit", ignore_errors=True)
    if not any(plan.folder.iterdir()):
        plan.folder.rmdir()


def _mark_interrupted(plan: Plan) -> None:
    if "submitit" not in str(plan.config.hydra.launcher.get("_target_")):  # its jobs outlive this process
        mark_interrupted(job_folders(plan.folder))


def _conclude(plan: Plan) -> bool:
    """Write the summary and print the outcome; return whether every job finished."""
    folder = plan.folder
    jobs = read_jobs(folder)
    try:
        write_summary(folder, read_record(folder), jobs)
    except InputError as error:  # matplotlib is missing; the tables have been written
        print(f"sweep.png: {error}", file=sys.stderr)
    finished = sum(job.status.state == FINISHED for job in jobs)
    failures = [job for job in jobs if job.status.state != FINISHED]
    for job in failures:
        print(f"{job.status.state}: {job.folder.name}: {job.status.error or 'no error recorded'}", file=sys.stderr)
    missing = max(0, plan.record.jobs - len(jobs)) if not plan.uses_optuna else 0
    stopped = (folder / STOP).exists()
    print(f"{finished} of {len(jobs) + missing} jobs finished: {folder / 'sweep.md'}", flush=True)
    if not failures and not missing and not stopped:
        return True
    for state, words in ((FAILED, "failed"), (INTERRUPTED, "were interrupted")):
        count = sum(job.status.state == state for job in jobs)
        if count:
            print(f"{count} of {len(jobs) + missing} jobs {words}", file=sys.stderr)
    print(f"resume with: python -m pose_inpaint.train -m sweep.resume={shlex.quote(str(folder))}", file=sys.stderr)
    return False
