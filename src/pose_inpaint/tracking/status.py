"""What became of a run: `status.json` in its folder, so that a sweep can go on and its table can be made again."""

from __future__ import annotations

import json
import time
import traceback
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.tracking.files import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"


@dataclass(frozen=True)
class Status:
    """What became of a run.

    Attributes:
        state: running (or killed so that it could not say more), finished, failed or interrupted.
        overrides: of the run's configuration.
        metric: the optimized metric, METRIC_IMAGE_REGION.
        value: of the metric, finite; None unless the run finished.
        scores: of the validation at which `value` was taken.
        error: a line that says what failed.
        exception: its type.
        traceback: its lines, where the fault was not the user's.
        starts: times at which the run was started or went on, ISO 8601.
        seconds: that all starts took together, but for those that were killed.
    """

    state: str
    overrides: list[str]
    metric: str | None = None
    value: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    exception: str | None = None
    traceback: list[str] | None = None
    starts: list[str] = field(default_factory=list)
    seconds: float | None = None


@dataclass
class Result:
    """What a run that is being recorded fills in: the optimized metric's value and the scores beside it."""

    value: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


def read_status(folder: Path) -> Status | None:
    """What became of the run in a folder, None where none began.

    Raises:
        InputError: the file is not one of ours.
    """
    path = folder / STATUS
    if not path.is_file():
        return None
    try:
        return Status(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: no status of a run ({error}); remove the folder, or restore the file") from error


def write_status(folder: Path, status: Status) -> None:
    """Writes `status.json`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / STATUS) as path:
        path.write_text(json.dumps(asdict(status), indent=2) + "\n", encoding="utf-8")


def begin_status(folder: Path, overrides: list[str], metric: str | None) -> Status:
    """The status of a run that starts, or goes on, now."""
    before = read_status(folder)
    starts = [*(before.starts if before else []), datetime.now(UTC).isoformat(timespec="milliseconds")]
    return Status(RUNNING, overrides, metric, starts=starts, seconds=before.seconds if before else None)


def failed(status: Status, error: Exception, seconds: float) -> Status:
    """The same run, after an error so many seconds after its last start."""
    lines = None if isinstance(error, InputError) else traceback.format_exception(error)
    return replace(
        status,
        state=FAILED,
        error=describe_error(error),
        exception=type(error).__name__,
        traceback=lines and "".join(lines).splitlines(),
        seconds=(status.seconds or 0) + seconds,
    )


def describe_error(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


@contextmanager
def recorded_status(folder: Path, overrides: list[str], metric: str, *, writes: bool = True) -> Iterator[Result]:
    """Records that a run goes on, and how it ended.

    Args:
        folder: of the run.
        overrides: of its configuration.
        metric: the optimized metric.
        writes: whether this process is the one of the run's that writes.
    """
    result = Result()
    status = begin_status(folder, overrides, metric)
    began = time.monotonic()

    def say(status: Status) -> None:
        if writes:
            write_status(folder, status)

    say(status)
    try:
        yield result
    except Exception as error:
        say(failed(status, error, time.monotonic() - began))
        raise
    except BaseException:  # Ctrl-C, or a request to end
        say(replace(status, state=INTERRUPTED, seconds=(status.seconds or 0) + time.monotonic() - began))
        raise
    seconds = (status.seconds or 0) + time.monotonic() - began
    say(replace(status, state=FINISHED, value=result.value, scores=dict(result.scores), seconds=seconds))
