"""Summary of a sweep: `sweep.csv`, `sweep.md` and a chart, made from the jobs' folders."""

import csv
import json
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pose_inpaint.config.overrides import key_of
from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.multirun.sweep.chart import draw_sweep, numbers
from pose_inpaint.multirun.sweep.record import SweepRecord
from pose_inpaint.reporting.markup import markdown_table
from pose_inpaint.tracking.files import CONFIG, RUN, SCORES, STATUS
from pose_inpaint.tracking.status import FINISHED, Status, read_status


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        folder: Folder of the job.
        status: Status of the job.
        test: Test scores by full name; empty until the job is scored.
        run: Content of `run.json`; empty until the job writes it.
        unreadable: What can't be read, one line per file.
    """

    folder: Path
    status: Status
    test: dict[str, float]
    run: dict[str, Any]
    unreadable: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        """What went wrong in the job, or in reading it."""
        return "; ".join(each for each in (self.status.error, *self.unreadable) if each) or None

    @property
    def limit(self) -> int | None:
        """`data.limit` of the job: the largest number of images of each split."""
        path = self.folder / CONFIG
        limit: int | None = OmegaConf.select(OmegaConf.load(path), "data.limit") if path.is_file() else None
        return limit

    def value(self, key: str) -> str:
        """Value that the job's overrides give a key, or ""."""
        values = [override.partition("=")[2] for override in self.status.overrides if key_of(override) == key]
        return values[-1].strip("'\"") if values else ""


def job_folders(sweep: Path) -> list[Path]:
    """Folders of the jobs that have started, sorted by name."""
    return sorted(path.parent for path in sweep.glob(f"*/{STATUS}"))


def read_jobs(sweep: Path) -> list[Job]:
    """Read the jobs that have started, in the order of their starts.

    Raises:
        InputError: A status can't be read.
    """
    jobs = []
    for folder in job_folders(sweep):
        status = read_status(folder)
        if status is not None:
            unreadable: list[str] = []
            test = _read(folder / SCORES, _read_scores, unreadable)
            run = _read(folder / RUN, _read_json, unreadable)
            jobs.append(Job(folder, status, test, run, tuple(unreadable)))
    return sorted(jobs, key=lambda job: job.status.starts)


def _read(path: Path, read: Callable[[Path], dict[str, Any]], unreadable: list[str]) -> dict[str, Any]:
    """Content of a file; empty if there is none, or if it can't be read, which is added to `unreadable`."""
    try:
        return read(path) if path.is_file() else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        unreadable.append(f"{path.name} can't be read ({type(error).__name__}: {error})")
        return {}


def _read_scores(path: Path) -> dict[str, float]:
    scores = ScoresFile.read(path.parent).scores
    return {name: estimate["value"] for name, estimate in scores.items() if estimate["value"] is not None}


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def write_summary(sweep: Path, record: SweepRecord, jobs: Sequence[Job]) -> None:
    """Write `sweep.csv`, `sweep.md` and, if a job finished, `sweep.png`.

    Raises:
        InputError: matplotlib is not installed; the tables have been written.
    """
    _write_csv(sweep / "sweep.csv", record, jobs)
    drawn = bool(record.swept) and any(job.status.state == FINISHED for job in jobs)
    (sweep / "sweep.md").write_text(_as_markdown(record, jobs, drawn=drawn), encoding="utf-8")
    if drawn:
        values = [[job.value(key) for key in record.swept] for job in jobs]
        draw_sweep(record.swept, values, [job.status.value for job in jobs], record.metric, sweep / "sweep.png")


def _write_csv(path: Path, record: SweepRecord, jobs: Sequence[Job]) -> None:
    """Write one row per job, in the order of their starts."""
    scores = sorted({name for job in jobs for name in job.status.scores} - {record.metric})
    tests = sorted({name for job in jobs for name in job.test})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        heading = [f"val/{record.metric}", *(f"val/{name}" for name in scores), *(f"test/{name}" for name in tests)]
        writer.writerow(["folder", "state", *record.swept, *heading, "seconds", "error"])
        for job in jobs:
            status = job.status
            row: list[Any] = [job.folder.name, status.state, *map(job.value, record.swept), status.value]
            row += [status.scores.get(name) for name in scores] + [job.test.get(name) for name in tests]
            writer.writerow([*row, status.seconds, job.error])


def ranked(jobs: Sequence[Job], direction: str) -> list[Job]:
    """Jobs from best to worst; those without a value last."""
    sign = -1 if direction == "maximize" else 1
    return sorted(jobs, key=lambda job: math.inf if job.status.value is None else sign * job.status.value)


def _as_markdown(record: SweepRecord, jobs: Sequence[Job], *, drawn: bool) -> str:
    """Readable table, best job first."""
    finished = sum(job.status.state == FINISHED for job in jobs)
    better = "highest" if record.direction == "maximize" else "lowest"
    tested = any(record.metric in job.test for job in jobs)
    heads = ["job", *record.swept, f"{record.metric}, validation", *([f"{record.metric}, test"] if tested else [])]
    heads += ["seconds", "state"]
    lines = [
        f"# {finished} of {len(jobs)} jobs finished",
        "",
        f"The {better} `{record.metric}` first: validation split, at the best epoch of each job's last phase. "
        f"{_conditions(jobs)}",
        "",
        "```text",
        shlex.join(["python", "-m", "pose_inpaint.train", "-m", *record.overrides]),
        "```",
        "",
    ]
    rows = []
    for job in ranked(jobs, record.direction):
        name, status = job.folder.name, job.status
        cells = [
            f"[{name}]({name})",
            *(_short(job.value(key)) for key in record.swept),
            ScoreName.parse(record.metric).format(status.value),
        ]
        if tested:
            cells.append(ScoreName.parse(record.metric).format(job.test.get(record.metric)))
        outcome = f"{status.state}: {job.error}" if job.error else status.state
        cells += ["-" if status.seconds is None else f"{status.seconds:.0f}", outcome]
        rows.append(cells)
    image = ["", "![Swept values of every job, coloured by the metric](sweep.png)"] if drawn else []
    return "\n".join([*lines, *markdown_table(heads, rows), *image, ""])


def _conditions(jobs: Sequence[Job]) -> str:
    """Devices, seeds and image counts that the jobs recorded."""
    devices, seeds, counts = set(), set(), dict[str, None]()
    for job in jobs:
        device, threads, seed = (job.run.get(key) for key in ("device", "threads", "seed"))
        if device is not None:
            devices.add(device if threads is None else f"{device}, {threads} thread{'s' if threads > 1 else ''}")
        if seed is not None:
            seeds.add(seed)
        limit = job.limit
        for data in job.run.get("data", []):
            split, images = data.get("split"), data.get("images")
            if split is not None and images is not None:  # older versions named the count differently
                counts[f"{split} {images if limit is None else min(images, limit)}"] = None
    parts = {
        "Device": "; ".join(sorted(devices)),
        "Seed": ", ".join(map(str, sorted(seeds))),
        "Images": ", ".join(counts),
    }
    return " ".join(f"{title}: {text}." for title, text in parts.items() if text)


def _short(value: str) -> str:
    """Shorten a long number to four digits; leave other values unchanged."""
    parsed = numbers([value])
    return f"{parsed[0]:.4g}" if parsed and len(value) > 8 else value
