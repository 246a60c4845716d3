"""Imports of optional packages."""

import importlib
from typing import Any

from pose_inpaint.errors import InputError


def import_extra(module: str, needed: str, extra: str) -> Any:
    """Import a module of the package that an extra installs.

    Raises:
        InputError: It is not installed; `needed` begins the message, such as "pose=blazepose needs ai-edge-litert".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{needed}: pip install 'pose-inpaint[{extra}]'") from error
