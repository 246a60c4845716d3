"""Overrides in the syntax of Hydra's command line."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString

from pose_inpaint.config.command import CONF

PLAIN = re.compile(r"[A-Za-z_/][\w/.\-]*")
WORDS = ("null", "true", "false", "nan", "inf")  # not strings unless they are quoted


def changes(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the overrides that turn an old block of plain data, interpolations unresolved, into a new one."""
    overrides = [f"~{key}.{name}" for name in old if name not in new]
    for name, value in new.items():
        path = f"{key}.{name}"
        before = old.get(name)
        if name not in old:
            overrides.append(f"+{path}={as_value(value)}")
        elif isinstance(before, dict) and isinstance(value, dict):
            overrides += changes(path, before, value)
        elif before != value:
            overrides.append(f"{path}={as_value(value)}")
    return overrides


def as_value(value: Any) -> str:
    """Write plain data as the value of an override."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_value, value)) + "]"
    if isinstance(value, str) and (not PLAIN.fullmatch(value) or value.lower() in WORDS):
        return QuotedString(value, Quote.single).with_quotes()
    return str(value)


def without_replaced(overrides: Iterable[str]) -> list[str]:
    """Drop the overrides of a config group that come before a later choice for it.

    Otherwise `mask=folder mask.root=DIR mask=squares` would set `root` in squares, which has none.
    """
    kept: list[str] = []
    for override in overrides:
        key = key_of(override)
        if (CONF / key).is_dir():
            kept = [other for other in kept if key_of(other) != key and not key_of(other).startswith(f"{key}.")]
        kept.append(override)
    return kept


def key_of(override: str) -> str:
    """Return the key of an override."""
    return override.partition("=")[0].lstrip("+~")


def training_command(folder: Path, overrides: Sequence[str]) -> list[str]:
    """Return the command line that trains in `folder` with the same configuration in a new process."""
    searchpath = [override for override in HydraConfig.get().overrides.hydra if override.startswith("hydra.searchpath")]
    run_dir = f"hydra.run.dir={as_value(str(folder))}"
    return [sys.executable, "-m", "pose_inpaint.train", *overrides, *searchpath, run_dir]
