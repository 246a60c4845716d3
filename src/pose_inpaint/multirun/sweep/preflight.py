"""Checks of a new sweep's jobs before the first one runs: settings without effect, and faults that all jobs have."""

from collections.abc import Callable, Iterator
from itertools import product

from omegaconf import DictConfig
from omegaconf.errors import InterpolationResolutionError

from pose_inpaint.config.unread import unread, warn_unread
from pose_inpaint.errors import InputError
from pose_inpaint.multirun.sweep.plan import Plan, choices, compose_job, job_of


def every_job(plan: Plan) -> Iterator[DictConfig]:
    """Compose the configuration of every job; of intervals, those with the ends of each."""
    for overrides in product(*map(choices, plan.parsed)):
        yield job_of(compose_job(list(overrides)), plan.folder)


def check_effects(plan: Plan) -> None:
    """Warn about settings that the jobs don't read.

    Raises:
        InputError: No job reads a swept key, so that jobs would differ by nothing.
    """
    first = job_of(plan.config, plan.folder)
    reasons = unread(first, plan.record.swept)
    for job in every_job(plan) if reasons else ():
        reasons = {key: reasons[key] for key in unread(job, reasons)}
        if not reasons:
            break
    if reasons:
        keys = "; ".join(f"{key}: is swept, but has no effect: {reason}" for key, reason in reasons.items())
        raise InputError(f"{keys}; sweep another key, or change what switches it off")
    warn_unread(first, [override for override in plan.record.overrides if not _is_swept(override, plan)])


def _is_swept(override: str, plan: Plan) -> bool:
    return any(override.lstrip("+").startswith(f"{key}=") for key in plan.record.swept)


def check_preparation(plan: Plan, check_job: Callable[[DictConfig], object]) -> None:
    """Raise `InputError` if every job would fail before it trains; jobs of other machines are not checked.

    Stops at the first job that can be prepared: faults of single jobs are reported by the jobs.
    """
    if any(kind in str(plan.config.hydra.launcher.get("_target_")) for kind in ("Slurm", "ray")):
        return
    fault: InputError | None = None
    for job in every_job(plan):
        try:
            check_job(job)
        except InputError as error:
            if isinstance(error.__cause__, InterpolationResolutionError):  # only the job's process can resolve it
                return
            fault = fault or error
        else:
            return
    if fault is not None:
        raise fault
