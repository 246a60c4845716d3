"""Checkpoint files: written whole or not at all, and read only if they are whole."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

if TYPE_CHECKING:
    from collections.abc import Callable


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes under another name, waits for the disk, then renames: whenever a process dies, the file is whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Writes a checkpoint.

        Raises:
            InputError: the disk is full, or the folder can't be written to; the file is as it was.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(path, synced=True) as part:
                torch.save(checkpoint, part)
        except (OSError, RuntimeError) as error:  # PyTorch's writer says RuntimeError for a full disk
            if "DataLoader worker" in str(error):  # comes by a signal, wherever the process is just then
                raise
            older = "the one before it is whole; " if path.is_file() else ""
            cause = str(error).splitlines()[0]
            raise InputError(
                f"{path}: can't be written ({cause}); {older}free space there, then give resume=auto"
            ) from error

    def load_checkpoint(
        self, path: str | Path, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Reads a checkpoint without running code from it."""
        return read_whole(Path(path), "resume")


def read_whole(path: Path, key: str) -> dict[str, Any]:
    """What a checkpoint file holds, on the CPU; no code from it is run.

    PyTorch itself does not look at the checksums that its archives carry.

    Args:
        path: the file.
        key: the setting that named it, for messages.

    Raises:
        InputError: there is no such file, or it was cut short or changed.
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
            f"{key}={path}: not a whole PyTorch checkpoint ({str(error).splitlines()[0][:120]})"
        ) from error
    return content
