"""W&B session of a run: starts it with the run's records, and ends it whatever happens."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.wandb_logger import RunLogger

STAGING = "WANDB_DATA_DIR"


@contextmanager
def recorded(loggers: Sequence[Logger], record: dict[str, Any]) -> Iterator[None]:
    """Send `record` to W&B if it is among the loggers, and end its run with the right state.

    Otherwise a second logger in the same process would continue the first one's run
    (https://github.com/wandb/wandb/issues/1314). Raises `InputError` if W&B can't start a run.
    """
    online = [logger for logger in loggers if isinstance(logger, RunLogger)]
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
        raise InputError(f"logger=wandb: {error}; log in with `wandb login`, or give logger.mode=offline") from error


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
