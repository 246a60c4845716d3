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
    """Scores of some of the images.

    Attributes:
        n: Number of images.
        mean_mask_ratio: Mean mask ratio of these images, in [0, 1].
        scores: Estimate of each score by its full name.
    """

    n: int
    mean_mask_ratio: float
    scores: Mapping[str, Estimate]


@dataclass(frozen=True)
class Dataset:
    """What was scored on.

    Attributes:
        name: Name of the data's folder.
        sha256: Digest of the split's images and annotations.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint that was scored.

    Attributes:
        file: Name of the file.
        sha256: Digest of the file.
        phase: Phase of training that wrote it.
    """

    file: str
    sha256: str
    phase: str


@dataclass(frozen=True)
class Bound:
    """Floor or ceiling of the pose scores.

    Attributes:
        what: Images that were scored, in words.
        scores: Estimate of each pose score by its full name.
    """

    what: str
    scores: Mapping[str, Estimate]


@dataclass(frozen=True)
class PoseRecord:
    """How poses were scored.

    Attributes:
        estimator: Name of the joint estimator.
        reference: Kind of reference pose: estimated or annotated.
        floor: Scores of the originals saved again.
        ceiling: Scores of the masked images.
        joints_sha256: Digest of the annotation that poses were compared with.
    """

    estimator: str
    reference: str
    floor: Bound | None = None
    ceiling: Bound | None = None
    joints_sha256: str | None = None

    @property
    def bounds(self) -> dict[str, Bound]:
        """Floor and ceiling, where they were taken."""
        return {name: bound for name in ("floor", "ceiling") if (bound := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Sources:
    """Where a method that copies from other images took its pixels from.

    Attributes:
        near_duplicates: Number of images that were inpainted from a near-duplicate.
        of_images: Name, distance and near_duplicate of the source of each image, by the image's name.
    """

    near_duplicates: int
    of_images: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ScoresFile:
    """Content of `scores.json`.

    Attributes:
        name: Name of the method in tables.
        split: Split that was scored.
        data: Data set.
        seed: Seed of methods that draw, and of the intervals.
        n: Number of images.
        masks_sha256: Digest of the masks, in the order of the images.
        mean_mask_ratio: Mean mask ratio, in [0, 1].
        metric: Settings of the metrics.
        scores: Estimate of each score by its full name.
        of_sets: Scores that only a set of images has (FID), by full name.
        by_mask_ratio: Scores by group of mask ratio, such as "10-20%".
        by_source: Scores by the source of the images.
        seconds: Seconds by stage.
        cost: What inpainting costs; `evaluation/cost.py` writes the block.
        pose: How poses were scored, or None.
        model: Settings of the model.
        postprocess: Settings of what follows the model.
        checkpoint: Checkpoint of a model that was trained.
        batchnorm: Kind of batch-norm statistics of the checkpoint.
        predictions: Name of a folder that was scored in place of a model.
        sources: Source of each image, of methods that copy from other images.
        mean_fill: Scores of a mean fill on the same images, where a training compared itself with it.
    """

    name: str
    split: str
    data: Dataset
    seed: int
    n: int
    masks_sha256: str
    mean_mask_ratio: float
    metric: Mapping[str, Any]
    scores: Mapping[str, Estimate]
    of_sets: Mapping[str, float]
    by_mask_ratio: Mapping[str, Group]
    by_source: Mapping[str, Group]
    seconds: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, Any] | None = None
    pose: PoseRecord | None = None
    model: Mapping[str, Any] | None = None
    postprocess: Mapping[str, Any] | None = None
    checkpoint: CheckpointRecord | None = None
    batchnorm: str | None = None
    predictions: str | None = None
    sources: Sources | None = None
    mean_fill: Mapping[str, Estimate] | None = None

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
