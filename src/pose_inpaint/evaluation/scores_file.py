"""`scores.json`: the scores of one model on one split, and all that they depend on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.tracking.files import SCORES
from pose_inpaint.tracking.provenance import write_json


@dataclass(frozen=True)
class Group:
    """Scores of some of the images."""

    n: int
    mean_mask_ratio: float  # in [0, 1]
    scores: Mapping[str, Estimate]  # estimate of each score by its full name


@dataclass(frozen=True)
class Dataset:
    """What was scored on."""

    name: str  # name of the data's folder
    sha256: str  # digest of the split's images and annotations


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint that was scored."""

    file: str
    sha256: str  # digest of the file
    phase: str  # phase of training that wrote it


@dataclass(frozen=True)
class Bound:
    """Floor or ceiling of the pose scores."""

    what: str  # images that were scored, in words
    scores: Mapping[str, Estimate]  # estimate of each pose score by its full name


@dataclass(frozen=True)
class PoseRecord:
    """How poses were scored."""

    estimator: str  # name of the joint estimator
    reference: str  # kind of reference pose: estimated or annotated
    floor: Bound | None = None  # scores of the originals saved again
    ceiling: Bound | None = None  # scores of the masked images
    joints_sha256: str | None = None  # digest of the annotation that poses were compared with

    @property
    def bounds(self) -> dict[str, Bound]:
        """Floor and ceiling, where they were taken."""
        return {name: bound for name in ("floor", "ceiling") if (bound := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Sources:
    """Where a method that copies from other images took its pixels from."""

    near_duplicates: int  # number of images that were inpainted from a near-duplicate
    of_images: Mapping[str, Mapping[str, Any]]  # name, distance and near_duplicate, by image


@dataclass(frozen=True)
class ScoresFile:
    """Content of `scores.json`."""

    name: str  # name of the method in tables
    split: str  # split that was scored
    data: Dataset
    seed: int  # seed of methods that draw, and of the intervals
    n: int  # number of images
    masks_sha256: str  # digest of the masks, in the order of the images
    mean_mask_ratio: float  # in [0, 1]
    metric: Mapping[str, Any]  # settings of the metrics
    scores: Mapping[str, Estimate]  # estimate of each score by its full name
    of_sets: Mapping[str, float]  # scores that only a set of images has (FID), by full name
    by_mask_ratio: Mapping[str, Group]  # scores by group of mask ratio, such as "10-20%"
    by_source: Mapping[str, Group]  # scores by the source of the images
    seconds: Mapping[str, float] = field(default_factory=dict)  # by stage
    cost: Mapping[str, Any] | None = None  # what inpainting costs; `evaluation/cost.py` writes the block
    pose: PoseRecord | None = None
    model: Mapping[str, Any] | None = None  # settings of the model
    postprocess: Mapping[str, Any] | None = None  # settings of what follows the model
    checkpoint: CheckpointRecord | None = None  # checkpoint of a model that was trained
    batchnorm: str | None = None  # kind of batch-norm statistics of the checkpoint
    predictions: str | None = None  # name of a folder that was scored in place of a model
    sources: Sources | None = None  # source of each image, of methods that copy from other images
    mean_fill: Mapping[str, Estimate] | None = None  # scores on the same images, after a training

    def estimate(self, score: str) -> Estimate | None:
        """A score over all images, without an interval if only the set has it; None if it was not taken."""
        if score in self.of_sets:
            return {"value": self.of_sets[score], "low": None, "high": None, "n": self.n}
        return self.scores.get(score)

    def write(self, folder: Path) -> None:
        """Write the file into a folder; fields that don't apply are left out."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SCORES, _without_nones(dataclasses.asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> ScoresFile:
        """Read the file of a folder.

        Raises:
            OSError: The file can't be opened.
            ValueError: It is not JSON.
            KeyError: A field is missing.
            TypeError: A field is unknown or of another kind.
        """
        content = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        # Named here, so that a file of an older version fails with the name of what it lacks.
        for name in (each.name for each in dataclasses.fields(cls) if each.default is each.default_factory):
            content[name]
        pose, sources = content.get("pose"), content.get("sources")
        checkpoint = content.get("checkpoint")
        nested: dict[str, Any] = {
            "data": Dataset(**content["data"]),
            "by_mask_ratio": {label: Group(**group) for label, group in content["by_mask_ratio"].items()},
            "by_source": {label: Group(**group) for label, group in content["by_source"].items()},
            "checkpoint": CheckpointRecord(**checkpoint) if checkpoint else None,
            "sources": Sources(**sources) if sources else None,
            "pose": _read_pose(pose) if pose else None,
        }
        return cls(**(content | nested))


def _read_pose(content: dict[str, Any]) -> PoseRecord:
    bounds: dict[str, Any] = {name: Bound(**content[name]) for name in ("floor", "ceiling") if name in content}
    return PoseRecord(**(content | bounds))


def _without_nones(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is None at the top level and in the records below it; null is a value of an estimate alone."""
    records = ("pose", "sources", "checkpoint")
    kept = {key: value for key, value in content.items() if value is not None}
    return {key: _without_nones(value) if key in records else value for key, value in kept.items()}
