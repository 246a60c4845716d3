"""Packages that only some parts need, imported where those parts are built."""

from __future__ import annotations

import importlib
from typing import Any

from pose_inpaint.errors import InputError


def import_extra(module: str, needed: str, extra: str) -> Any:
    """A module of an optional package.

    Args:
        module: its full name.
        needed: what needs which package, in words.
        extra: of ours that installs it.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{needed}: pip install 'pose-inpaint[{extra}]'") from error
