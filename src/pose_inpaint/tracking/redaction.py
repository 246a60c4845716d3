"""Redaction of home folder, host name and W&B key in whatever is sent elsewhere."""

import os
import re
import socket
from pathlib import Path
from typing import Any

NAMES_NOBODY = ("", "localhost")  # host names that identify no machine


def redact(content: Any) -> Any:
    """Replace the home folder by `~`, the host name by `HOST` and the W&B key by `KEY`.

    `content` is any nesting of lists, tuples and dictionaries (whose keys are redacted, too) of values and tensors.
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
    """Build the patterns and their replacements; they match whole names, so that /root does not match in /data/root."""
    key = os.environ.get("WANDB_API_KEY")
    homes = {str(Path.home()), str(Path.home().resolve())} - {"/"}
    host = socket.gethostname()
    hosts = {host, host.partition(".")[0]} - set(NAMES_NOBODY)
    texts = [(re.escape(key), "KEY")] if key else []
    texts += [(rf"(?<![\w.-]){re.escape(home)}(?![\w-])", "~") for home in sorted(homes, key=len, reverse=True)]
    texts += [(rf"(?<!\w){re.escape(name)}(?!\w)", "HOST") for name in sorted(hosts, key=len, reverse=True)]
    return [(re.compile(pattern), name) for pattern, name in texts]
