"""Session of a run's loggers: starts them with the run's records, and ends them whatever happens."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.ranks import this_rank
from pose_inpaint.tracking.run_logger import BatchLogger
from pose_inpaint.tracking.wandb_logger import RunLogger

STAGING = "WANDB_DATA_DIR"


@contextmanager
def recorded(loggers: Sequence[Logger], record: dict[str, Any]) -> Iterator[None]:
    """Begin every logger that keeps a record of the run with `record`, and end it with the right state.

    Raises:
        InputError: W&B can't start a run.
    """
    batched = [logger for logger in loggers if isinstance(logger, BatchLogger)] if this_rank() == 0 else []
    failed = True
    with _recorded_in_wandb([logger for logger in loggers if isinstance(logger, RunLogger)], record):
        try:
            for logger in batched:
                logger.begin(record)
            yield
            failed = False
        finally:
            for logger in batched:
                logger.end(failed=failed)


@contextmanager
def _recorded_in_wandb(online: Sequence[RunLogger], record: dict[str, Any]) -> Iterator[None]:
    """End W&B's run with that of the command.

    Otherwise a second logger in the same process would continue the first one's run
    (https://github.com/wandb/wandb/issues/1314).
    """
    if not online:
        yield
        return
    import wandb  # slow to import, and needed here only

    with _staged(online[0].folder / "wandb"):
        failed = True
        try:
            for logger in online:
                _begin(logger, record)
            yield
            failed = False
        finally:
            wandb.finish(exit_code=int(failed))


def _begin(logger: RunLogger, record: dict[str, Any]) -> None:
    import wandb

    try:
        logger.begin(record)
    except wandb.errors.Error as error:
        advice = "; log in with `wandb login`, or give logger.wandb.mode=offline"
        wrong_setting = isinstance(error, wandb.errors.UsageError)  # which neither of them would mend
        raise InputError(f"logger=wandb: {error}{'' if wrong_setting else advice}") from error


@contextmanager
def _staged(folder: Path) -> Iterator[None]:
    """Stage tables and checkpoints in the run's folder instead of the home folder, so that it is self-contained."""
    if STAGING in os.environ:
        yield
        return
    os.environ[STAGING] = str(folder)
    try:
        yield
    finally:
        del os.environ[STAGING]
