"""`sweep.yaml`: what a sweep was asked for, written before its first job, so that it can be continued."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from pose_inpaint.config.overrides import key_of
from pose_inpaint.config.resolvers import RECORD
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

FREE = ("hydra/launcher", "hydra.launcher", "hydra.sweeper.n_trials", "hydra.sweeper.n_jobs", "sweep.on_error")
"""Keys that may change when a sweep is resumed: how its jobs are run, not what they are."""


@dataclass(frozen=True)
class SweepRecord:
    """What a sweep was asked for."""

    overrides: list[str]  # overrides of the command line
    swept: list[str]  # keys that differ between jobs
    metric: str  # optimized metric
    direction: str  # "minimize" or "maximize"
    jobs: int


def read_record(folder: Path) -> SweepRecord:
    """Read what the sweep in a folder was asked for; raise `InputError` if there is none, or it can't be read."""
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"sweep.resume={folder}: holds no sweep ({RECORD} is missing); give the folder of one")
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
        return SweepRecord(**{field.name: content[field.name] for field in fields(SweepRecord)})
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise InputError(f"{path}: no record of a sweep ({error}); restore it, or start a new sweep") from error


def write_record(folder: Path, record: SweepRecord) -> None:
    """Claim a folder for a new sweep; raise `InputError` if it holds one already."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / RECORD).open("x", encoding="utf-8") as file:  # of two that claim it at once, one has it
            file.write(_as_text(record))
    except FileExistsError as error:
        raise InputError(
            f"hydra.sweep.dir={folder}: holds a sweep already; choose another folder, or sweep.resume={folder}"
        ) from error


def replace_record(folder: Path, record: SweepRecord) -> None:
    """Record what changed as a sweep is resumed, such as the number of trials."""
    if record != read_record(folder):
        with written_whole(folder / RECORD) as part:
            part.write_text(_as_text(record), encoding="utf-8")


def _as_text(record: SweepRecord) -> str:
    return "# What this sweep was asked for; sweep.resume reads it\n" + OmegaConf.to_yaml(asdict(record))


def continued_overrides(folder: Path, record: SweepRecord, given: Iterable[str]) -> list[str]:
    """Overrides of a resumed sweep, some of them replaced; raise `InputError` naming those that may not change."""
    before, now = _by_key(record.overrides), _by_key(given)
    asked = {key: override for key, override in now.items() if not key.startswith(FREE)}
    if asked:
        fixed = {key: override for key, override in before.items() if not key.startswith(FREE)}
        differing = [key for key in {**fixed, **asked} if fixed.get(key) != asked.get(key)]
        if differing:
            pairs = (f"{key} (there {_value(fixed, key)}, here {_value(asked, key)})" for key in differing)
            raise InputError(
                f"sweep.resume={folder}: another sweep; these differ: {', '.join(pairs)}; give sweep.resume alone"
            )
    return list({**before, **{key: override for key, override in now.items() if key.startswith(FREE)}}.values())


def _by_key(overrides: Iterable[str]) -> dict[str, str]:
    return {key_of(override): override for override in overrides}


def _value(overrides: dict[str, Any], key: str) -> str:
    return overrides[key].partition("=")[2] if key in overrides else "not given"
