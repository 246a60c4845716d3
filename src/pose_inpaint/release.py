"""`python -m pose_inpaint.release checkpoint=PATH output=DIR`: inference weights, their configuration and a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import ReleaseSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import LOCK

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command."""
    run_command("release", run)


def run(config: DictConfig) -> None:
    """Write a release as configured.

    Raises:
        InputError: A setting or an input file can't be used; nothing is written.
    """
    from pose_inpaint.models.hub import create_repository, upload
    from pose_inpaint.models.release import CARD, CONFIG, FILES, WEIGHTS, is_release, read_release, write_release
    from pose_inpaint.pose.hourglass import CONTENT
    from pose_inpaint.reporting.release_content import content_of_model, content_of_pose
    from pose_inpaint.runtime.torch_file import read_whole
    from pose_inpaint.tracking.lock import locked

    settings = read_settings(config, ReleaseSettings)
    output, source = Path(settings.output), settings.checkpoint
    _check_empty(output)
    if is_release(source):
        is_pose = read_release(source, kind=None).kind == "pose"
    else:
        is_pose = CONTENT in read_whole(Path(source), "checkpoint")
    content = (content_of_pose if is_pose else content_of_model)(settings)
    if settings.upload is not None:
        create_repository(settings.upload, public=settings.public)
    try:
        with locked(output, "output"):
            _check_empty(output)  # again, since another process may have written it meanwhile
            precision: Any = settings.precision
            release = write_release(output, content.config, content.weights, precision, content.card, content.kind)
    except OSError as error:
        raise InputError(f"output={output}: can't be written ({error.strerror}); give another folder") from error
    size, parameters = (output / WEIGHTS).stat().st_size / 1e6, release.config["release"]["parameters"]
    print(f"{output}: {WEIGHTS} ({parameters:,} parameters, {size:.2f} MB, SHA-256 {release.sha256}), {CONFIG}, {CARD}")
    if settings.upload is not None:
        print(f"uploaded: {upload(output, settings.upload, FILES, CARD)}")


def _check_empty(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(path.name != LOCK for path in output.iterdir())):
        raise InputError(f"output={output}: exists and is not an empty folder; give another, or remove it")


if __name__ == "__main__":
    main()
