"""Keys and choices that had other names in earlier versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

RENAMED = {
    "critic": "discriminator",
    "critic_steps": "discriminator_steps",
    "critic_optimizer": "discriminator_optimizer",
    "critic_loss": "discriminator_loss",
    "fresh_completion": "fresh_output",
    "pictures": "images",
    "picture": "image",
    "share_edges": "mask_ratio_edges",
    "sheet": "contact_sheet",
    "systems": "methods",
}
"""New name of each renamed part of a key, such as `critic_optimizer` in `optim.critic_optimizer.lr`."""

RENAMED_VALUES = {
    ("experiment", "slides_systems"): "slides_methods",
    ("experiment", "slides_systems_cpu"): "slides_methods_cpu",
    ("pose.joints", "hidden"): "masked",
}


def check_renamed_key(key: str) -> None:
    """Raise `InputError` that names the new key if a part of `key` has been renamed."""
    parts = key.split(".")
    if any(part in RENAMED for part in parts):
        raise InputError(f"{key}: is now called {'.'.join(RENAMED.get(part, part) for part in parts)}")


def check_renamed(overrides: Iterable[str]) -> None:
    """Raise `InputError` for the first override `KEY=VALUE` whose key, or choice, has been renamed."""
    for override in overrides:
        matched = re.match(r"[+~]{0,2}([\w./@]+)(?:=(.*))?$", override, re.DOTALL)
        if matched is None:
            continue
        key, value = matched.groups()
        check_renamed_key(key)
        # Phases and other blocks are often given as a whole: schedule.phases=[{..., critic_steps: 2}]
        for inner in re.findall(r"[{,\s](\w+)\s*:", value or ""):
            if inner in RENAMED:
                raise InputError(f"{key}: {inner} is now called {RENAMED[inner]}")
        if (key, value) in RENAMED_VALUES:
            raise InputError(f"{key}={value}: is now called {key}={RENAMED_VALUES[key, value]}")
