"""What differs between configurations, written as Hydra's command line reads it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString

from pose_inpaint.config.command import CONF

if TYPE_CHECKING:
    from collections.abc import Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLAIN = re.compile(r"[A-Za-z_/][\w/.\-]*")
WORDS = ("null", "true", "false", "nan", "inf")  # mean something else where they are not quoted


def changes(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The overrides that make the block `key` out of an older one.

    Args:
        key: the block's path.
        old: plain data, interpolations unresolved.
        new: likewise.
    """
    found = [f"~{key}.{name}" for name in old if name not in new]
    for name, value in new.items():
        path = f"{key}.{name}"
        before = old.get(name)
        if name not in old:
            found.append(f"+{path}={as_value(value)}")
        elif isinstance(before, dict) and isinstance(value, dict):
            found += changes(path, before, value)
        elif before != value:
            found.append(f"{path}={as_value(value)}")
    return found


def as_value(value: Any) -> str:
    """Plain data as the right side of an override."""
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
    """Overrides, later ones before earlier ones: the choice of a group takes back what was said of it before.

    Without this `mask=folder mask.root=DIR mask=squares` would ask squares for a root.
    """
    kept: list[str] = []
    for override in overrides:
        key = key_of(override)
        if (CONF / key).is_dir():
            kept = [other for other in kept if key_of(other) != key and not key_of(other).startswith(f"{key}.")]
        kept.append(override)
    return kept


def key_of(override: str) -> str:
    """The key that an override is about."""
    return override.partition("=")[0].lstrip("+~")


def training_command(folder: Path, overrides: Sequence[str]) -> list[str]:
    """The command that trains as this one was asked to, in a process of its own.

    Args:
        folder: of the run.
        overrides: of its configuration.
    """
    searchpath = [override for override in HydraConfig.get().overrides.hydra if override.startswith("hydra.searchpath")]
    run_dir = f"hydra.run.dir={as_value(str(folder))}"
    return [sys.executable, "-m", "pose_inpaint.train", *overrides, *searchpath, run_dir]
