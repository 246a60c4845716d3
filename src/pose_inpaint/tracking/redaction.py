"""What may leave this machine: text without its owner's home folder, the machine's name or a W&B key."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

NAMES_NOBODY = ("", "localhost")
"""Machine names that tell nothing, and may be meant when they are written."""


def redact(content: Any) -> Any:
    """Plain data with `~` for the home folder, `HOST` for this machine's name and `KEY` for the W&B key.

    Args:
        content: text, other plain values and tensors, and lists, tuples and dictionaries of them, keys included.
    """
    return _replace(content, _patterns())


def _replace(content: Any, patterns: list[tuple[re.Pattern[str], str]]) -> Any:
    if isinstance(content, dict):
        return {_replace(key, patterns): _replace(value, patterns) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_replace(value, patterns) for value in content)
    if isinstance(content, str):
        for pattern, name in patterns:
            content = pattern.sub(name, content)
    return content


def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What to look for and what to write in its place; whole names only, so that /root leaves /data/root alone."""
    key = os.environ.get("WANDB_API_KEY")
    homes = {str(Path.home()), str(Path.home().resolve())} - {"/"}
    host = socket.gethostname()
    hosts = {host, host.partition(".")[0]} - set(NAMES_NOBODY)
    found = [(re.escape(key), "KEY")] if key else []
    found += [(rf"(?<![\w.-]){re.escape(home)}(?![\w-])", "~") for home in sorted(homes, key=len, reverse=True)]
    found += [(rf"(?<!\w){re.escape(name)}(?!\w)", "HOST") for name in sorted(hosts, key=len, reverse=True)]
    return [(re.compile(pattern), name) for pattern, name in found]
