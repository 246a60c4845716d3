"""Bases of the loggers that write what Lightning logs."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from PIL.Image import Image


class FolderLogger(Logger):
    """Logger of a run that is known by its folder, and whose settings are in its `config.yaml`."""

    @property
    def name(self) -> str:
        """Empty: the folder itself."""
        return ""

    @property
    def version(self) -> str:
        """Empty: resumed runs go on in the same folder."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: `config.yaml` has the settings."""


class BatchLogger(FolderLogger):
    """Logger over the number of batches seen, from `begin` to `end`; numbers, and images where it can."""

    def __init__(self) -> None:
        super().__init__()
        self._batch = 0

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers over the batches seen, or, without a step, at the last ones logged.

        The `step` that Lightning passes to loggers counts batches from 0, not the optimizers' steps.
        """
        if step is not None:
            self._batch = step + 1
        self.write({name: float(value) for name, value in metrics.items()}, self._batch)

    @rank_zero_only
    def log_image(self, key: str, images: list[Image], caption: list[str]) -> None:
        """Log images at the last batch logged."""
        for image, text in zip(images, caption, strict=True):
            self.write_image(key, image, text, self._batch)

    @abstractmethod
    def begin(self, record: dict[str, Any]) -> None:
        """Start with the configuration, and the content of `run.json` under "run"."""

    @abstractmethod
    def end(self, *, failed: bool) -> None:
        """Write what is left, when nothing more will be logged."""

    @abstractmethod
    def write(self, values: Mapping[str, float], batch: int) -> None:
        """Write numbers."""

    @abstractmethod
    def write_image(self, key: str, image: Image, caption: str, batch: int) -> None:
        """Write an image."""
