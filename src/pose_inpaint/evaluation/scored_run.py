"""What `evaluate` wrote of one method, read back for comparison."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.candidates import Method
from pose_inpaint.tracking.provenance import describe_run, write_json, write_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.data.records import Record
    from pose_inpaint.evaluation.scores import Scores
    from pose_inpaint.pose.comparison import PoseJudge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float
    from torch import Tensor

NOT_SCORES = ("name", "source", "mask_ratio")
NEEDED = ("split", "n", "masks_sha256", "mean_mask_ratio", "metric", "scores", "of_sets")


@dataclass(frozen=True)
class ScoredRun:
    """A method's scores.

    Attributes:
        folder: that it was read from.
        name: of the method.
        record: `scores.json`.
        images: their names, in order.
        mask_ratios: the mask ratio of each, (n,).
        values: each image's value of each score that has one, (n,); NaN where an image has none.
    """

    folder: Path
    name: str
    record: dict[str, Any]
    images: tuple[str, ...]
    mask_ratios: Float[Tensor, " n"]
    values: Mapping[str, Float[Tensor, " n"]]

    @property
    def checkpoint(self) -> str:
        """The first digits of the checkpoint's digest; a dash for a method without one."""
        return str(self.record["checkpoint"]["sha256"][:12]) if "checkpoint" in self.record else "-"

    @property
    def cost(self) -> dict[str, Any] | None:
        """What inpainting costs; None where an older version scored, which did not measure it."""
        return self.record.get("cost")

    @property
    def estimator(self) -> str | None:
        """Pose estimator and reference, if poses were scored."""
        pose = self.record.get("pose")
        if not pose:
            return None
        annotation = f" {pose['joints_sha256'][:12]}" if "joints_sha256" in pose else ""
        return f"{pose['estimator']}, {pose['reference']} reference{annotation}"

    def estimate(self, score: str) -> dict[str, Any] | None:
        """A score over all images with its interval, None where it was not taken."""
        if score in self.record["scores"]:
            return dict(self.record["scores"][score])
        if score in self.record["of_sets"]:
            return {"value": self.record["of_sets"][score], "low": None, "high": None, "n": self.record["n"]}
        return None


def read_scored_run(folder: str) -> ScoredRun:
    """Reads `scores.json` and `scores.csv`.

    Raises:
        InputError: there is no such folder, it holds no scores, or they can't be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"runs: {folder}: no such folder; give folders that python -m pose_inpaint.evaluate wrote")
    for name in ("scores.json", "scores.csv"):
        if not (path / name).is_file():
            raise InputError(f"runs: {folder}: no {name} in it; score the method with python -m pose_inpaint.evaluate")
    try:
        record = json.loads((path / "scores.json").read_text(encoding="utf-8"))
        with (path / "scores.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = [name for name in rows[0] if name not in NOT_SCORES]
        values = {name: torch.tensor([float(row[name]) for row in rows], dtype=torch.float64) for name in columns}
        mask_ratios = torch.tensor([float(row["mask_ratio"]) for row in rows], dtype=torch.float64)
        names = tuple(row["name"] for row in rows)
        found = ScoredRun(path, str(record["name"]), record, names, mask_ratios, values)
        _ = [record[key] for key in NEEDED], record["data"]["sha256"]  # what is missing is named below
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"runs: {folder}: its scores can't be read ({type(error).__name__}: {error}); score the method anew"
        ) from error
    return found


def check_comparable(accepted: Sequence[ScoredRun], other: ScoredRun) -> None:
    """Raises `InputError` unless a run is over the images and masks, and by the estimator and settings, of others."""
    for first in accepted[:1]:
        for what, ours, theirs in (
            ("split", first.record["split"], other.record["split"]),
            ("images", f"{len(first.images)} images", f"{len(other.images)} images"),
            ("names of images", first.images, other.images),
            ("masks", first.record["masks_sha256"][:12], other.record["masks_sha256"][:12]),
            ("data", first.record["data"]["sha256"][:12], other.record["data"]["sha256"][:12]),
        ):
            if ours != theirs:
                shown = "" if isinstance(ours, tuple) else f" ({theirs}, not {ours})"
                raise InputError(
                    f"runs: {other.folder}: scored over other {what} than {first.folder}{shown}; score both on the same"
                )
    for first in accepted:
        if first.estimator and other.estimator and first.estimator != other.estimator:
            raise InputError(
                f"runs: {other.folder}: poses by {other.estimator}, those of {first.folder} by {first.estimator}; "
                "score both with the same"
            )
        for metric in set(first.record["metric"]) & set(other.record["metric"]):
            ours, theirs = first.record["metric"][metric], other.record["metric"][metric]
            if ours != theirs:
                raise InputError(
                    f"runs: {other.folder}: {metric} taken with {theirs}, in {first.folder} with {ours}; "
                    "score both with the same"
                )


def distinct_names(runs: Sequence[ScoredRun]) -> list[str]:
    """The methods' names; where two are the same, with as much of the folder's path as tells them apart."""
    names = [run.name for run in runs]
    paths = [run.folder.resolve().parts for run in runs]
    found = []
    for place, name in enumerate(names):
        twins = [paths[other] for other, its in enumerate(names) if its == name and other != place]
        own = paths[place]
        depth = next((n for n in range(1, len(own)) if all(twin[-n:] != own[-n:] for twin in twins)), len(own))
        found.append(f"{name} ({'/'.join(own[-depth:])})" if twins else name)
    return found


def write_results(
    settings: EvaluateSettings,
    plain: dict[str, Any],
    method: Method,
    scores: Scores,
    summary: dict[str, Any],
    inspections: Sequence[Inspection],
    data: InpaintingData,
    device: torch.device,
    judge: PoseJudge | None,
    bounds: dict[str, Any] | None,
) -> None:
    """Writes `scores.json`, `scores.csv` and the records of the run."""
    folder = Path(settings.run_dir)
    write_records(folder, plain, describe_run(plain, inspections, str(device), None))
    pose: dict[str, Any] | None = None
    if judge is not None:
        pose = {"estimator": judge.estimator.name, "reference": judge.kind, **(bounds or {})}
        if judge.kind == "annotated":
            pose["joints_sha256"] = joints_digest(data.images(settings.split).records)
    record = describe_scores(
        method.name,
        settings.split,
        settings.data.root,
        inspections[0],
        settings.seed,
        {**method.origin, "metric": settings.metric},
        pose,
        summary,
    )
    write_json(folder / "scores.json", record)
    scores.write_csv(folder / "scores.csv")


def joints_digest(records: Sequence[Record]) -> str:
    """Digest of the annotation that poses were compared with."""
    return hashlib.sha256(repr([(record.name, record.joints) for record in records]).encode()).hexdigest()


def describe_scores(
    name: str,
    split: str,
    root: str | None,
    inspection: Inspection,
    seed: int,
    origin: dict[str, Any],
    pose: dict[str, Any] | None,
    summary: dict[str, Any],
) -> dict[str, Any]:
    """`scores.json`: a method's scores and all that they depend on.

    Args:
        name: of the method.
        split: that was scored.
        root: folder of the data.
        inspection: of the split.
        seed: of methods that draw, and of the intervals.
        origin: what the method is.
        pose: estimator, reference, floor and ceiling, if poses were scored.
        summary: the scores.
    """
    data = {"name": Path(root).resolve().name if root else "mannequins", "sha256": inspection.digest}
    return {"name": name, "split": split, "data": data, "seed": seed, **origin, "pose": pose, **summary}
