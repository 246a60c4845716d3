"""Keys and choices that had other names in earlier versions."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hydra.errors import HydraException

from pose_inpaint.errors import InputError

LOGGER = ("project", "entity", "group", "name", "job_type", "mode", "log_model", "log_code", "save_dir", "settings")
RENAMED = {
    "critic": "discriminator",
    "guard.critic_loss": "discriminator_loss",
    **{f"logger.{key}": f"wandb.{key}" for key in LOGGER},
    "loss.discriminator.picture": "image",
    "loss.generator.*.picture": "image",
    "optim.critic_optimizer": "discriminator_optimizer",
    "pictures": "images",
    "pose.pictures": "images",
    "schedule.phases.*.critic_steps": "discriminator_steps",
    "schedule.phases.*.fresh_completion": "fresh_output",
    "share_edges": "mask_ratio_edges",
    "sheet": "contact_sheet",
    "size": "scale",
    "systems": "methods",
}
"""New last part of each renamed key, of a value or a block; * stands for any part."""

RENAMED_VALUES = {
    ("experiment", "slides_systems"): "slides_methods",
    ("experiment", "slides_systems_cpu"): "slides_methods_cpu",
    ("pose.joints", "hidden"): "masked",
}
NESTED = ("train", "evaluate", "report", "methods.*.overrides")
"""Lists of overrides in the configuration of a benchmark."""


def check_renamed_key(key: str) -> None:
    """Raise `InputError` that names the new key if `key`, or the block that it is in, has been renamed."""
    parts = re.sub(r"\[(\w+)\]", r".\1", key).split(".")
    for old, new in RENAMED.items():
        length = len(old.split("."))
        if _matches(old, parts[:length]):
            raise InputError(f"{key}: is now called {'.'.join([*parts[: length - 1], new, *parts[length:]])}")


def check_renamed(overrides: Iterable[str]) -> None:
    """Raise `InputError` for the first override `KEY=VALUE` whose key, or choice, has been renamed."""
    for override in overrides:
        matched = re.match(r"[+~]{0,2}([\w./@]+)(?:=.*)?$", override, re.DOTALL)
        if matched is None:
            continue
        key = matched[1]
        check_renamed_key(key)
        # Phases and other blocks are often given as a whole: schedule.phases=[{..., critic_steps: 2}]
        _check_values(key, _parsed(override))


def check_renamed_config(config: Mapping[str, Any]) -> None:
    """Raise `InputError` for the first key, or choice, of a configuration as plain data that has been renamed."""
    for key, value in config.items():
        _check_values(key, [value])


def _check_values(key: str, values: Iterable[Any]) -> None:
    for inner, value in _leaves(key, values):
        check_renamed_key(inner)
        if (inner, value) in RENAMED_VALUES:
            raise InputError(f"{inner}={value}: is now called {inner}={RENAMED_VALUES[inner, value]}")
        if any(_matches(f"{nested}.*", inner.split(".")) for nested in NESTED):
            try:
                check_renamed([value])
            except InputError as error:
                raise InputError(f"{inner.rpartition('.')[0]}: {error}") from error


def _matches(pattern: str, parts: list[str]) -> bool:
    expected = pattern.split(".")
    return len(expected) == len(parts) and all(one in ("*", part) for one, part in zip(expected, parts, strict=True))


def _parsed(override: str) -> list[Any]:
    """Values of an override, several for a sweep; none if Hydra can't read it, which it says better."""
    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return []
    return value.list if isinstance(value, ChoiceSweep) else [value]


def _leaves(key: str, values: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Full key and text of every single value."""
    for value in values:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from _leaves(f"{key}.{name}", [inner])
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from _leaves(f"{key}.{index}", [inner])
        else:
            yield key, str(value)
