"""What a release holds: weights, a configuration without paths of the machine, and a card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from pose_inpaint.config.schema import ReleaseSettings
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.models.release import Kind, count_parameters, is_release, pack_weights
from pose_inpaint.pose.hourglass import read_hourglass
from pose_inpaint.reporting.model_card import Released, model_card, pose_card
from pose_inpaint.tracking.files import SCORES
from pose_inpaint.training.checkpoint import load_for_inference, read_checkpoint

KEPT = (
    "name", "seed", "model", "discriminator", "loss", "data", "mask", "augment", "schedule", "optim", "ema",
    "batchnorm", "max_minutes", "trained",
)  # fmt: skip
"""Blocks of a training's configuration that a release keeps."""
POSE_KEPT = ("name", "seed", "network", "data", "epochs", "lr", "weight_decay")
"""Blocks of a pose estimator's."""


@dataclass(frozen=True)
class Content:
    """What to write.

    Attributes:
        kind: What the weights are for.
        config: Configuration of the training, without paths.
        weights: State dict of the network.
        card: Text of the card.
    """

    kind: Kind
    config: dict[str, Any]
    weights: dict[str, Tensor]
    card: str


def content_of_model(settings: ReleaseSettings) -> Content:
    """Read the checkpoint and the scores of an inpainting model.

    Raises:
        InputError: They can't be used, or the scores are of another checkpoint.
    """
    checkpoint = read_checkpoint(settings.checkpoint)
    weights = load_for_inference(checkpoint).state_dict()
    scores, digest = [], checkpoint.sha256()
    # Scores of an earlier release of the same weights and precision are those of what is released, to the bit.
    precision: Any = settings.precision
    of_these = {digest, sha256(pack_weights(weights, precision)).hexdigest()} if settings.scores else set()
    for folder in settings.scores:
        try:
            scores.append(ScoresFile.read(Path(folder)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"scores={folder}: no scores.json of this version ({error}); evaluate again") from error
        scored = scores[-1].checkpoint
        if scored is None or scored.sha256 not in of_these:
            raise InputError(f"scores={folder}: are not of {settings.checkpoint}; evaluate that checkpoint")
    config = _public(checkpoint.config, KEPT, settings.name)
    config["batchnorm"] = {**config["batchnorm"], "statistics": checkpoint.batchnorm}
    if not is_release(checkpoint.path):
        config["trained"] = {
            "phase": checkpoint.phase,
            "batches": checkpoint.batches_seen,
            "images_per_step": checkpoint.images,
            "minutes": round(checkpoint.seconds / 60, 1),
        }
    count, name = count_parameters(weights), config["name"]
    released = Released(name, config, count, settings.precision, settings.data_terms, digest, settings.limits)
    return Content("inpainting", config, weights, model_card(released, scores))


def content_of_pose(settings: ReleaseSettings) -> Content:
    """Read the checkpoint and the scores of a pose estimator.

    Raises:
        InputError: They can't be used, or the scores are of another checkpoint.
    """
    read = read_hourglass(settings.checkpoint, "checkpoint")
    weights = read.network("checkpoint").state_dict()
    accuracies = []
    for folder in settings.scores:
        try:
            accuracies.append(json.loads((Path(folder) / SCORES).read_text(encoding="utf-8")))
            scored = accuracies[-1]["estimator"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"scores={folder}: no {SCORES} of train_pose ({error}); give its folder") from error
        if not str(scored).startswith(f"{read.name} ("):
            raise InputError(f"scores={folder}: are of {scored}, not of {settings.checkpoint}, {read.name}")
    config = _public(read.config, POSE_KEPT, settings.name)
    count, name = count_parameters(weights), config["name"]
    released = Released(name, config, count, settings.precision, settings.data_terms, read.sha256, settings.limits)
    return Content("pose", config, weights, pose_card(released, accuracies))


def _public(config: Mapping[str, Any], keys: Sequence[str], name: str | None) -> dict[str, Any]:
    """Keep some blocks, leave out what names folders of the machine, and set the name if one is given."""
    kept = {key: config[key] for key in keys if key in config}
    kept["trainer"] = {"precision": config.get("trainer", {}).get("precision")}
    for block, paths in {"data": ("root", "source"), "mask": ("root",)}.items():
        if block in kept:
            kept[block] = {key: value for key, value in kept[block].items() if key not in paths}
    # What is left of `data` names no folder: `names` may be a pattern with a slash.
    named = {key: value if key == "data" else _without_folders(value) for key, value in kept.items()}
    return named if name is None else {**named, "name": name}


def _without_folders(value: Any) -> Any:
    """Replace every path of a file or folder by its name."""
    if isinstance(value, Mapping):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    is_path = isinstance(value, str) and (Path(value).is_absolute() or "/" in value or "\\" in value)
    return Path(value).name if is_path else value
