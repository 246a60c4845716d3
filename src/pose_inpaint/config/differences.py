"""Configurations compared key by key."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from hydra.utils import get_object

from pose_inpaint.errors import InputError

SHOWN = 3  # number of differing keys in a message


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value by its full key; lists are values, and what is null or empty is left out."""
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            leaves[f"{prefix}{key}"] = value
    return leaves


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Add the default arguments of each `_target_`, so that an argument that came later is no difference."""
    whole = {key: with_defaults(value) if isinstance(value, dict) else value for key, value in settings.items()}
    if not isinstance(target := whole.get("_target_"), str):
        return whole
    try:
        parameters = inspect.signature(get_object(target)).parameters.values()
    except (ImportError, ValueError):  # no such object, or one without a signature: compared as it is
        return whole
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    return {name: list(d) if isinstance(d, tuple) else d for name, d in defaults.items()} | whole


def differing_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Full keys, sorted, at which two flat configurations differ."""
    return sorted(key for key in {*before, *now} if before.get(key) != now.get(key))


def describe_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that differ, with both values."""
    old, new = flat(before), flat(now)
    keys = differing_keys(old, new)
    shown = [f"{key}={old.get(key, 'nothing')} (now {new.get(key, 'nothing')})" for key in keys[:SHOWN]]
    more = [f"{len(keys) - SHOWN} other settings"] if len(keys) > SHOWN else []
    return ", ".join([*shown, *more]) or "other settings"


def check_same_settings(
    before: Mapping[str, Any], now: Mapping[str, Any], source: str, blocks: Sequence[str], free: Sequence[str] = ()
) -> None:
    """Raise `InputError`, naming the keys that differ, unless the blocks of two configurations are the same.

    Args:
        before: Configuration of the run that wrote a checkpoint.
        now: Configuration of this run.
        source: Setting that named the checkpoint, KEY=VALUE.
        blocks: Keys of blocks or single values that must be the same.
        free: Full keys within the blocks that may differ.
    """
    old, new = (flat(with_defaults(settings)) for settings in (before, now))
    keys = [key for key in differing_keys(old, new) if key not in free]
    keys = [key for key in keys if any(f"{key}.".startswith(f"{block}.") for block in blocks)]
    if keys:
        theirs, ours = (", ".join(f"{key}={settings.get(key)}" for key in keys) for settings in (old, new))
        raise InputError(f"{source}: made with {theirs}, but this run has {ours}; give the same")


def check_same_config(config: Mapping[str, Any]) -> None:
    """Raise `InputError` on every rank, naming the keys, unless all ranks have the same configuration."""
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, dict(config))
    first, *others = map(flat, every)
    for rank, other in enumerate(others, start=1):
        keys = differing_keys(first, other)
        if keys:
            key = keys[0]
            raise InputError(
                f"{', '.join(keys)}: rank {rank} has {key}={other.get(key)}, rank 0 {key}={first.get(key)}; start "
                "all ranks with the same arguments" + (", hydra.run.dir too" if "run_dir" in keys else "")
            )
