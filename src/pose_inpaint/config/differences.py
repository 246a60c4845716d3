"""Configurations compared key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


SHOWN = 3  # differing keys in a message


def describe_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that differ, with both values."""
    old, new = flat(before), flat(now)
    keys = sorted(key for key in {*old, *new} if old.get(key, "nothing") != new.get(key, "nothing"))
    shown = [f"{key}={old.get(key, 'nothing')} (now {new.get(key, 'nothing')})" for key in keys[:SHOWN]]
    more = [f"{len(keys) - SHOWN} other settings"] if len(keys) > SHOWN else []
    return ", ".join([*shown, *more]) or "other settings"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value by its full key; the places of a list are keys too."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        path = f"{prefix}{key}"
        if isinstance(value, list):
            value = {str(place): each for place, each in enumerate(value)} or None
        if isinstance(value, dict) and value:
            found |= flat(value, f"{path}.")
        else:
            found[path] = value
    return found


def leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of a block of a configuration, by their full keys."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(f"{key}.{name}", inner)
    elif value not in (None, {}):
        yield key, value


def check_same_config(config: Mapping[str, Any]) -> None:
    """Compares the ranks' configurations, so that none trains with other settings than the first one's.

    Raises:
        InputError: they differ; the message names the keys.
    """
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, dict(config))
    first, *others = ({k: v for key, value in found.items() for k, v in leaves(key, value)} for found in every)
    for rank, other in enumerate(others, start=1):
        differing = [key for key in sorted({*first, *other}) if first.get(key) != other.get(key)]
        if differing:
            key = differing[0]
            raise InputError(
                f"{', '.join(differing)}: rank {rank} has {key}={other.get(key)}, rank 0 {key}={first.get(key)}; start "
                "all ranks with the same arguments" + (", hydra.run.dir too" if "run_dir" in differing else "")
            )
