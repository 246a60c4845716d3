"""Read the folders that `evaluate` wrote, for comparison."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.tracking.files import SCORES, SCORES_CSV

NOT_SCORES = ("name", "source", "mask_ratio")  # columns of `scores.csv` that aren't scores


@dataclass(frozen=True)
class ScoredRun:
    """Scores of a method over the whole split and per image."""

    folder: Path  # folder of the scores
    file: ScoresFile  # content of `scores.json`
    images: tuple[str, ...]  # names of the images, in order
    mask_ratios: Float[Tensor, " n"]  # mask ratio of each image, (n,)
    values: Mapping[str, Float[Tensor, " n"]]  # values of each score per image, (n,); NaN if an image has none

    @property
    def checkpoint(self) -> str:
        """First digits of the checkpoint's digest; a dash for a method without one."""
        return self.file.checkpoint.sha256[:12] if self.file.checkpoint else "-"

    @property
    def estimator(self) -> str | None:
        """Joint estimator and reference, if poses were scored."""
        pose = self.file.pose
        if pose is None:
            return None
        annotation = f" {pose.joints_sha256[:12]}" if pose.joints_sha256 else ""
        return f"{pose.estimator}, {pose.reference} reference{annotation}"


def read_scored_run(folder: str) -> ScoredRun:
    """Read `scores.json` and `scores.csv`; raise `InputError` if the folder or its scores are missing or unreadable."""
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"runs: {folder}: no such folder; give folders that python -m pose_inpaint.evaluate wrote")
    for name in (SCORES, SCORES_CSV):
        if not (path / name).is_file():
            raise InputError(f"runs: {folder}: no {name} in it; score the method with python -m pose_inpaint.evaluate")
    try:
        file = ScoresFile.read(path)
        with (path / SCORES_CSV).open(encoding="utf-8") as table:
            rows = list(csv.DictReader(table))
        columns = [name for name in rows[0] if name not in NOT_SCORES]
        values = {name: torch.tensor([float(row[name]) for row in rows], dtype=torch.float64) for name in columns}
        mask_ratios = torch.tensor([float(row["mask_ratio"]) for row in rows], dtype=torch.float64)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"runs: {folder}: its scores can't be read ({type(error).__name__}: {error}), perhaps because an "
            "older version wrote them; score the method again"
        ) from error
    return ScoredRun(path, file, tuple(row["name"] for row in rows), mask_ratios, values)


def check_comparable(accepted: Sequence[ScoredRun], other: ScoredRun) -> None:
    """Raise `InputError` unless a run has the same images, masks, pose estimator and metric settings as others."""
    theirs = other.file
    for first in accepted[:1]:
        ours = first.file
        for what, expected, actual in (
            ("split", ours.split, theirs.split),
            ("images", f"{len(first.images)} images", f"{len(other.images)} images"),
            ("image names", first.images, other.images),
            ("masks", ours.masks_sha256[:12], theirs.masks_sha256[:12]),
            ("data", ours.data.sha256[:12], theirs.data.sha256[:12]),
        ):
            if expected != actual:
                shown = "" if isinstance(expected, tuple) else f" ({actual}, not {expected})"
                raise InputError(
                    f"runs: {other.folder}: can't be compared with {first.folder}: different {what}{shown}; score both "
                    "with the same"
                )
    for first in accepted:
        if first.estimator and other.estimator and first.estimator != other.estimator:
            raise InputError(
                f"runs: {other.folder}: poses by {other.estimator}, those of {first.folder} by {first.estimator}; "
                "score both with the same"
            )
        for metric in set(first.file.metric) & set(theirs.metric):
            if first.file.metric[metric] != theirs.metric[metric]:
                raise InputError(
                    f"runs: {other.folder}: {metric} has the settings {theirs.metric[metric]}, in {first.folder} "
                    f"{first.file.metric[metric]}; score both with the same"
                )


def distinct_names(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """Names of the runs; equal ones are followed by the shortest path suffix that distinguishes them."""
    paths = [run.folder.resolve().parts for run in runs]
    distinct = []
    for index, name in enumerate(names):
        twins = [paths[other] for other, its in enumerate(names) if its == name and other != index]
        own = paths[index]
        depth = next((n for n in range(1, len(own)) if all(twin[-n:] != own[-n:] for twin in twins)), len(own))
        distinct.append(f"{name} ({'/'.join(own[-depth:])})" if twins else name)
    return distinct
