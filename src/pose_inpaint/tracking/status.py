"""Status of a run in `status.json`, from which a sweep is resumed and its table built."""

import json
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.tracking.files import STATUS

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"


@dataclass(frozen=True)
class Status:
    """Status of a run."""

    state: str  # one of running (or killed), finished, failed and interrupted
    overrides: list[str]  # overrides of the configuration
    metric: str | None = None  # optimized metric, METRIC_IMAGE_REGION
    value: float | None = None  # value of the metric, finite; None unless the run finished
    scores: dict[str, float] = field(default_factory=dict)  # validation scores of the epoch of `value`
    ended_by: str | None = None  # "epochs", or "max_minutes" before all were trained; None unless the run finished
    phases: list[str] = field(default_factory=list)  # phases begun by a run that finished
    error: str | None = None  # message in one line
    exception: str | None = None  # type of the exception
    traceback: list[str] | None = None  # lines of the traceback, except for an `InputError`
    starts: list[str] = field(default_factory=list)  # times at which the run was started or resumed, ISO 8601
    seconds: float | None = None  # total duration of all starts, except for those that were killed


@dataclass
class Result:
    """Results that `Status` has of a finished run, filled in by the run."""

    value: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    ended_by: str | None = None
    phases: list[str] = field(default_factory=list)


def read_status(folder: Path) -> Status | None:
    """Read the status of the run in a folder, None if there is none; raise `InputError` if it is no status file."""
    path = folder / STATUS
    if not path.is_file():
        return None
    try:
        return Status(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a status file ({error}); remove the folder, or restore the file") from error


def write_status(folder: Path, status: Status) -> None:
    """Write `status.json` atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / STATUS) as path:
        path.write_text(json.dumps(asdict(status), indent=2) + "\n", encoding="utf-8")


def begin_status(folder: Path, overrides: list[str], metric: str | None) -> Status:
    """Return the status of a run that starts or resumes now."""
    before = read_status(folder)
    starts = [*(before.starts if before else []), datetime.now(UTC).isoformat(timespec="milliseconds")]
    return Status(RUNNING, overrides, metric, starts=starts, seconds=before.seconds if before else None)


def failed(status: Status, error: Exception, seconds: float) -> Status:
    """Return the status of a run that failed, `seconds` after its last start."""
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
    """Describe an error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


@contextmanager
def recorded_status(folder: Path, overrides: list[str], metric: str, *, writes: bool = True) -> Iterator[Result]:
    """Record that a run is running, and how it ends, if this process `writes`, which only one rank does."""
    result = Result()
    status = begin_status(folder, overrides, metric)
    began = time.monotonic()

    def record(status: Status) -> None:
        if writes:
            write_status(folder, status)

    record(status)
    try:
        yield result
    except Exception as error:
        record(failed(status, error, time.monotonic() - began))
        raise
    except BaseException:  # Ctrl-C, or a request to stop
        record(replace(status, state=INTERRUPTED, seconds=(status.seconds or 0) + time.monotonic() - began))
        raise
    seconds = (status.seconds or 0) + time.monotonic() - began
    record(replace(status, state=FINISHED, seconds=seconds, **{**vars(result), "scores": dict(result.scores)}))
