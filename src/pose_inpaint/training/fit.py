"""Fitting of a prepared training, and the value it returns to a sweep."""

import math
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import torch
from lightning.pytorch import Trainer

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.ranks import LostRankError
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase
from pose_inpaint.training.setup import Training


def fit(training: Training) -> BestOfPhase:
    """Train and return the callback that kept the best checkpoint of the last phase reached.

    Raises:
        InputError: A process that reads images was killed.
        LostRankError: Another rank ended.
    """
    trainer, resumption = training.trainer, training.resumption
    checkpoint = str(resumption.checkpoint.path) if resumption is not None else None
    try:
        with _released_loaders(trainer):
            trainer.fit(training.module, training.data, ckpt_path=checkpoint, weights_only=True)
    except RuntimeError as error:
        if is_killed_reader(error):
            raise InputError(
                f"data.workers: a process that reads images was killed ({str(error).splitlines()[-1].strip()}); if "
                "memory ran out, use fewer; continue with resume=auto"
            ) from error
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
        if trainer.world_size > 1 and lost:
            raise LostRankError(first_line(error)) from error
        raise
    kept = [callback for callback in trainer.callbacks if isinstance(callback, BestOfPhase)]  # type: ignore[attr-defined]
    return next((callback for callback in reversed(kept) if callback.scores), kept[-1])


def is_killed_reader(error: RuntimeError) -> bool:
    """Whether PyTorch says that a loader's process ended, rather than passing on an error raised in it."""
    return "DataLoader worker (pid" in str(error)


@contextmanager
def _released_loaders(trainer: Trainer) -> Iterator[None]:
    """After an exception, let go of the data loaders, so that their worker processes exit.

    Lightning tears down the loop that failed, which leaves training's workers running if validation did, and the frames
    of the exception keep loaders alive until the garbage collector finds them. Their queues are closed by then, workers
    are never told to exit, and each one holds up whatever this process does next, such as a sweep's next job.
    """
    try:
        yield
    except BaseException as error:
        with suppress(Exception):  # the error that ended the training is the one to report
            trainer.fit_loop.teardown()
        chained: BaseException | None = error
        while chained is not None:
            traceback.clear_frames(chained.__traceback__)
            chained = chained.__cause__ or chained.__context__
        raise


def check_finite(metric: str, scores: Mapping[str, float]) -> float:
    """Return the value of a metric; raise `InputError` if it is missing or not finite."""
    value = scores.get(metric, math.nan)
    if not math.isfinite(value):
        raise InputError(
            f"optimized_metric={metric}: {value} at the best epoch; see metrics.csv, and try a smaller optim.lr"
        )
    return value
