"""Logger of `logger=trackio`: a local database that `trackio show` draws; a hub only if asked."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL.Image import Image

from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.tracking.files import CHECKPOINTS
from pose_inpaint.tracking.provenance import write_json
from pose_inpaint.tracking.redaction import redact
from pose_inpaint.tracking.run_logger import BatchLogger

KEPT = "trackio.json"  # file in the run's folder with the name of the Trackio run
REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Environment variables by which Trackio would send a run elsewhere."""


class TrackioLogger(BatchLogger):
    """Logs a job to its own Trackio run, which is continued when the job is resumed in the same folder.

    Args:
        save_dir: Folder of the run.
        project: Trackio project.
        group: Group of runs, or None.
        name: Name of the run, or None for that of its folder.
        space: Space of a hub to send to, OWNER/NAME, or None for this machine alone.

    Raises:
        InputError: Trackio is not installed.
    """

    def __init__(
        self,
        save_dir: str,
        project: str,
        *,
        group: str | None = None,
        name: str | None = None,
        space: str | None = None,
    ) -> None:
        super().__init__()
        self.trackio = import_extra("trackio", "logger=trackio needs trackio", "trackio")
        self.folder, self.project, self.group, self.space = Path(save_dir), project, redact(group), space
        self._name = redact(name or self.folder.resolve().name)
        self._run: Any = None

    def begin(self, record: dict[str, Any]) -> None:
        """Start the run with the redacted configuration."""
        kept = self.folder / KEPT
        resumes = kept.is_file() and (self.folder / CHECKPOINTS).is_dir()
        name = json.loads(kept.read_text(encoding="utf-8"))["name"] if resumes else self._name
        with _local_unless(self.space):
            self._run = self.trackio.init(
                self.project, name, self.group, space_id=self.space, config=redact(record), embed=False,
                resume="allow" if resumes else "never", auto_log_gpu=False, auto_log_cpu=False,
            )  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(kept, {"name": self._run.name, "project": self.project})

    def end(self, *, failed: bool) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()

    def write(self, values: Mapping[str, float], batch: int) -> None:
        """Write numbers."""
        self._run.log(dict(values), step=batch)

    def write_image(self, key: str, image: Image, caption: str, batch: int) -> None:
        """Write an image."""
        self._run.log({key: self.trackio.Image(image, caption=redact(caption))}, step=batch)


@contextmanager
def _local_unless(space: str | None) -> Iterator[None]:
    """Hide the environment variables that name a hub, unless the settings name one."""
    hidden = {} if space else {name: os.environ.pop(name) for name in REMOTE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
