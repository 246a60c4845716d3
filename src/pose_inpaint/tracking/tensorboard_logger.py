"""Logger of `logger=tensorboard`: event files in the run's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from PIL.Image import Image

from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.tracking.run_logger import BatchLogger

FOLDER = "tensorboard"


class TensorBoardLogger(BatchLogger):
    """Writes numbers, images and the configuration for TensorBoard, over the number of batches seen.

    Args:
        save_dir: Folder of the run.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__()
        import_extra("tensorboard", "logger=tensorboard needs tensorboard", "tensorboard")
        self.folder = Path(save_dir) / FOLDER
        self._writer: Any = None
        self._record: dict[str, Any] = {}

    def begin(self, record: dict[str, Any]) -> None:
        """Keep the configuration for the first point."""
        self._record = record

    def end(self, *, failed: bool) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()

    def write(self, values: Mapping[str, float], batch: int) -> None:
        """Write numbers."""
        writer = self._open(batch)
        for name, value in values.items():
            writer.add_scalar(name, value, batch)

    def write_image(self, key: str, image: Image, caption: str, batch: int) -> None:
        """Write an image; TensorBoard shows no captions."""
        self._open(batch).add_image(key, np.asarray(image), batch, dataformats="HWC")

    def save(self) -> None:
        """Write what is buffered."""
        if self._writer is not None:
            self._writer.flush()

    def _open(self, batch: int) -> Any:
        """Return the writer; the first point of a resumed run replaces those from its batch on."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # slow to import

            self._writer = SummaryWriter(self.folder, purge_step=batch)
            yaml = OmegaConf.to_yaml(OmegaConf.create(self._record))
            self._writer.add_text("configuration", f"```yaml\n{yaml}```", batch)
        return self._writer
