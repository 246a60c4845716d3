"""`python -m pose_inpaint.curves runs=[DIR,...] output=DIR_OR_PNG`: draws how trainings went."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import CurvesSettings
from pose_inpaint.config.settings import accept_one, read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

IMAGE = "training.png"


def main() -> None:
    """Run the command."""
    run_command("curves", run)


def run(config: DictConfig) -> None:
    """Draw as configured.

    Raises:
        InputError: A folder holds no run, or nothing of it can be drawn; nothing is written.
    """
    from pose_inpaint.data.photo_folder import check_writable
    from pose_inpaint.data.photos import is_own_image
    from pose_inpaint.reporting.training_curves import draw_trainings
    from pose_inpaint.tracking.run_history import read_histories

    accept_one(config, "runs")
    settings = read_settings(config, CurvesSettings)
    histories = read_histories(settings.runs, settings.show)
    output = Path(settings.output)
    path = output if output.suffix.lower() == ".png" else output / IMAGE
    if os.path.lexists(path) and not (path.is_file() and is_own_image(path)):
        raise InputError(f"output={path}: exists, and was not written by curves; give another, or move it")
    check_writable(path.parent)
    draw_trainings(histories, path)
    print(f"{path}: {', '.join(history.name for history in histories)}")


if __name__ == "__main__":
    main()
