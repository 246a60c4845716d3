"""Checkpoint files, written atomically."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.torch_file import read_whole


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary file, syncs and renames it, so that a killed process leaves a complete checkpoint."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint; raise `InputError`, the file unchanged, if the disk is full or can't be written to."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(path, synced=True) as part:
                torch.save(checkpoint, part)
        except (OSError, RuntimeError) as error:  # PyTorch raises RuntimeError for a full disk
            if "DataLoader worker" in str(error):  # raised by a signal handler, wherever the process is
                raise
            older = "the previous one is intact; " if path.is_file() else ""
            cause = first_line(error)
            raise InputError(
                f"{path}: can't be written ({cause}); {older}free space there, then continue with resume=auto"
            ) from error

    def load_checkpoint(
        self, path: str | Path, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint without running code from it."""
        return read_whole(Path(path), "resume")
