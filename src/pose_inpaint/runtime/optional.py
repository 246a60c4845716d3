"""Imports of optional packages."""

from __future__ import annotations

import importlib
from typing import Any

from pose_inpaint.errors import InputError


def import_extra(module: str, needed: str, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: Full name of the module.
        needed: Start of the error message, such as "pose=blazepose needs ai-edge-litert".
        extra: Extra of `pose-inpaint` that installs the package.

    Raises:
        InputError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{needed}: pip install 'pose-inpaint[{extra}]'") from error
