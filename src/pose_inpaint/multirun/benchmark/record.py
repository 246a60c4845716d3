"""Finished stages of a benchmark: `benchmark.json` in each method's folder."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pose_inpaint.config.differences import describe_differences
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

RECORD = "benchmark.json"


def digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of all settings that a method's scores depend on."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write_record(folder: Path, settings: Mapping[str, Any], done: list[str]) -> None:
    """Write which stages are done."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"done": done, "sha256": digest(settings), "settings": settings}
    with written_whole(folder / RECORD) as part:
        part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def check_ours(folder: Path, key: str) -> None:
    """Raise `InputError` if a method's folder holds what no benchmark wrote."""
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not empty and not (folder / RECORD).is_file():
        raise InputError(
            f"{key}: {folder} exists and was not written by a benchmark (no {RECORD}); give another output"
        )


def stages_done(folder: Path, key: str, settings: Mapping[str, Any]) -> list[str]:
    """Stages that are done in a method's folder, if it exists; raise `InputError` if the folder has other settings."""
    way_out = f"give another output, or redo=[{folder.name}] to remove and redo it"
    path = folder / RECORD
    if not path.is_file():
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before, done, known = record["settings"], list(record["done"]), record["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{key}: {path} can't be read ({type(error).__name__}: {error}); {way_out}") from error
    if known != digest(settings):
        differing = describe_differences(before, json.loads(json.dumps(settings)))
        raise InputError(f"{key}: {folder} was made with {differing}; {way_out}")
    return done
