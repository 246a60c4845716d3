"""`python -m pose_inpaint.release checkpoint=PATH output=DIR`: inference weights, their configuration and a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import ReleaseSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import LOCK

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEPT = (
    "name", "seed", "model", "discriminator", "loss", "data", "mask", "augment", "schedule", "optim", "ema",
    "batchnorm", "max_minutes",
)  # fmt: skip
"""Blocks of a training's configuration that a release keeps."""


def main() -> None:
    """Run the command."""
    run_command("release", run)


def run(config: DictConfig) -> None:
    """Write a release as configured.

    Raises:
        InputError: A setting or an input file can't be used; nothing is written.
    """
    from pose_inpaint.evaluation.scores_file import ScoresFile
    from pose_inpaint.models.release import CONFIG, WEIGHTS, write_release
    from pose_inpaint.reporting.model_card import model_card
    from pose_inpaint.tracking.lock import locked
    from pose_inpaint.training.checkpoint import load_for_inference, read_checkpoint

    settings = read_settings(config, ReleaseSettings)
    output = Path(settings.output)
    _check_empty(output)
    checkpoint = read_checkpoint(settings.checkpoint)
    weights = load_for_inference(checkpoint).state_dict()
    scores, sha256 = [], checkpoint.sha256()
    for folder in settings.scores:
        try:
            scores.append(ScoresFile.read(Path(folder)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"scores={folder}: no scores.json of this version ({error}); evaluate again") from error
        scored = scores[-1].checkpoint
        if scored is None or scored.sha256 != sha256:
            raise InputError(f"scores={folder}: are not of {settings.checkpoint}; evaluate that checkpoint")
    name = settings.name or str(checkpoint.config["name"])
    kept = {**_public(checkpoint.config), "name": name}
    kept["batchnorm"] = {**kept["batchnorm"], "statistics": checkpoint.batchnorm}
    parameters = sum(value.numel() for value in weights.values())
    card = model_card(name, kept, parameters, settings.precision, scores, settings.data_terms, settings.limits, sha256)
    try:
        with locked(output, "output"):
            _check_empty(output)  # again, since another process may have written it meanwhile
            release = write_release(output, kept, weights, settings.precision, card)  # type: ignore[arg-type]
    except OSError as error:
        raise InputError(f"output={output}: can't be written ({error.strerror}); give another folder") from error
    size = (output / WEIGHTS).stat().st_size / 1e6
    print(
        f"{output}: {WEIGHTS} ({parameters:,} parameters, {size:.2f} MB, SHA-256 {release.sha256}), {CONFIG}, card.md"
    )


def _check_empty(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(path.name != LOCK for path in output.iterdir())):
        raise InputError(f"output={output}: exists and is not an empty folder; give another, or remove it")


def _public(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what names folders of the machine."""
    kept = {key: config[key] for key in KEPT if key in config}
    kept["trainer"] = {"precision": config.get("trainer", {}).get("precision")}
    for block, keys in {"data": ("root", "source"), "mask": ("root",)}.items():
        kept[block] = {key: value for key, value in kept.get(block, {}).items() if key not in keys}
    # What is left of `data` names no folder: `names` may be a pattern with a slash.
    return {key: value if key == "data" else _without_folders(value) for key, value in kept.items()}


def _without_folders(value: Any) -> Any:
    """Replace every path of a file or folder by its name."""
    if isinstance(value, Mapping):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    is_path = isinstance(value, str) and (Path(value).is_absolute() or "/" in value or "\\" in value)
    return Path(value).name if is_path else value


if __name__ == "__main__":
    main()
