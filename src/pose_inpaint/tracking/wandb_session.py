"""Loggers around a run: what W&B is told at its start, and that it is closed whatever happens; less noise."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.wandb_logger import RunLogger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lightning.pytorch.loggers import Logger

STAGING = "WANDB_DATA_DIR"


@contextmanager
def recorded(loggers: Sequence[Logger], record: dict[str, Any]) -> Iterator[None]:
    """Sends `record` to W&B where that is logged to, and ends its run with the right state.

    A second logger in one process would go on with the first one's run if that were not ended
    (https://github.com/wandb/wandb/issues/1314).

    Raises:
        InputError: W&B can't be logged to.
    """
    online = [logger for logger in loggers if isinstance(logger, RunLogger)]
    if not online:
        yield
        return
    import wandb  # not there on every machine, and needed by nobody else

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
    """Keeps what waits to be sent (tables, checkpoints) in the run's folder, which then is whole, not in the home."""
    if STAGING in os.environ:
        yield
        return
    os.environ[STAGING] = str(folder)
    try:
        yield
    finally:
        del os.environ[STAGING]
