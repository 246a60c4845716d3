"""Files of PyTorch, checked when read."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from pose_inpaint.errors import InputError, first_line


def read_whole(path: Path, key: str) -> dict[str, Any]:
    """Load a checkpoint file to the CPU without running code from it, and verify checksums, which PyTorch does not do.

    Raises:
        InputError: The file, named by the setting `key`, does not exist, or is truncated or damaged.
    """
    if not path.is_file():
        raise InputError(f"{key}={path}: no such file; give a checkpoint (*.ckpt) of a run")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} was changed after it was written")
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError) as error:
        raise InputError(
            f"{key}={path}: not a PyTorch checkpoint, or a damaged one ({first_line(error)[:120]})"
        ) from error
    return content
