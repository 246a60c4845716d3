"""Histories of trainings, read back from their folders."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from math import isfinite
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import CONFIG, HISTORY


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes:
        name: Name of the training, unique among those that were read together.
        points: Number of batches seen and value of each point, by column of `metrics.csv`.
        phases: Number of batches seen at the first point of each phase, and the phase's name.
    """

    name: str
    points: dict[str, list[tuple[int, float]]]
    phases: list[tuple[int, str]]


def read_histories(folders: Sequence[str], patterns: Sequence[str]) -> list[History]:
    """Read the histories of several runs.

    Args:
        folders: Folders of the runs.
        patterns: Patterns of the columns to read.

    Raises:
        InputError: A folder holds no run, or a history has no finite number in any of the columns.
    """
    if not folders:
        raise InputError("runs=[]: give the folders of trainings, runs=[DIR,...]")
    paths = [Path(folder) for folder in folders]
    settings = [_read_config(path) for path in paths]
    titles = [str(each.get("name") or path.resolve().name) for each, path in zip(settings, paths, strict=True)]
    histories: list[History] = []
    for path, config, title in zip(paths, settings, titles, strict=True):
        name = title if titles.count(title) == 1 else f"{title}, {path.resolve().name}"
        taken = sum(history.name.partition(" #")[0] == name for history in histories)
        phases = [str(phase["name"]) for phase in config.get("schedule", {}).get("phases", [])]
        histories.append(_read(path, f"{name} #{taken + 1}" if taken else name, patterns, phases))
    return histories


def _read_config(folder: Path) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Read the configuration of a run; empty without one."""
    if not (folder / HISTORY).is_file():
        raise InputError(f"runs={folder}: no {HISTORY} in it; give the folder of a training")
    try:
        found = OmegaConf.to_container(OmegaConf.load(folder / CONFIG)) if (folder / CONFIG).is_file() else {}
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise InputError(f"runs={folder}: {CONFIG} can't be read ({type(error).__name__}); restore it") from error
    return found if isinstance(found, dict) else {}  # type: ignore[return-value]


def _read(folder: Path, name: str, patterns: Sequence[str], names: Sequence[str]) -> History:
    points: dict[str, list[tuple[int, float]]] = {}
    phases: list[tuple[int, str]] = []
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if None in row.values():  # a row that a killed process left half written
                continue
            try:
                values = {key: float(value) for key, value in row.items() if value}
                batch = int(values.pop("step")) + 1
            except (TypeError, ValueError, KeyError):
                continue
            for key, value in values.items():
                if isfinite(value) and any(fnmatch(key, pattern) for pattern in patterns):
                    points.setdefault(key, []).append((batch, value))
            index = int(values.get("phase", -1))
            if 0 <= index < len(names) and (not phases or phases[-1][1] != names[index]):
                phases.append((batch, names[index]))
    if not points:
        raise InputError(f"runs={folder}: {HISTORY} has no number yet in a column of {', '.join(patterns)}")
    return History(name, points, phases)
