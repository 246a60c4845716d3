"""Scores by group of images: by mask ratio, and by source where there are several."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pose_inpaint.evaluation.scored_run import ScoredRun
from pose_inpaint.evaluation.scores import mask_ratio_groups
from pose_inpaint.metrics.bootstrap import Estimate, estimate_mean
from pose_inpaint.metrics.score_names import ScoreName, label
from pose_inpaint.reporting.markup import markdown_table
from pose_inpaint.reporting.tables import EQUAL, Comparison, describe, format_cells
from pose_inpaint.runtime.files import written_whole


@dataclass(frozen=True)
class GroupScore:
    """A score of a method over those images of a group that have a value."""

    index: int  # index of the method
    score: str  # name of the score, METRIC_IMAGE_REGION
    by: str  # what the images are grouped by: "mask ratio" or "source"
    group: str  # name of the group, such as "10-20%"
    mean_mask_ratio: float  # in [0, 1]
    estimate: Estimate  # estimate over the images, and their number


def score_groups(
    runs: Sequence[ScoredRun], scores: Sequence[str], edges: Sequence[float], seed: int
) -> list[GroupScore]:
    """Score every method in every group that has images with a value.

    Scores of a whole set (pooled PSNR, FID) have no groups.

    Args:
        runs: Methods that were scored.
        scores: Full names METRIC_IMAGE_REGION.
        edges: Edges of the mask-ratio groups, in [0, 1].
        seed: Random seed of the intervals.
    """
    found = []
    for index, run in enumerate(runs):
        for score in (score for score in scores if score in run.values):
            values = run.values[score]
            for group, inside in mask_ratio_groups(run.mask_ratios, edges).items():
                chosen = inside & ~torch.isnan(values)
                if chosen.any():
                    ratio, estimate = float(run.mask_ratios[chosen].mean()), estimate_mean(values[chosen], seed)
                    found.append(GroupScore(index, score, "mask ratio", group, ratio, estimate))
            if len(run.file.by_source) > 1:
                found += [
                    GroupScore(index, score, "source", name, group.mean_mask_ratio, group.scores[score])
                    for name, group in run.file.by_source.items()
                ]
    return found


def write_groups_markdown(found: Comparison, groups: Sequence[GroupScore], path: Path) -> None:
    """Write a table for each score and kind of group: number of images, and every method's score."""
    lines: list[str] = []
    for score, by in dict.fromkeys((each.score, each.by) for each in groups):
        table: dict[str, dict[int, Estimate]] = {}
        for each in groups:
            if (each.score, each.by) == (score, by):
                table.setdefault(each.group, {})[each.index] = each.estimate
        rows = []
        for group, estimates in table.items():
            n = next(iter(estimates.values()))["n"]
            cells = format_cells(score, [estimates.get(index) for index in range(len(found.runs))], found.intervals)
            others = [
                f" (n {e['n']})" if (e := estimates.get(index)) and e["n"] != n else "" for index in range(len(cells))
            ]
            rows.append([group, str(n), *map(str.__add__, cells, others)])
        lines += ["", f"{label(score)}, by {by}:", "", *markdown_table([by, "n", *found.names], rows)]
    head = [describe(found)[0], *([EQUAL] if any("| = " in line for line in lines) else [])]
    with written_whole(path) as part:
        part.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


def write_groups_csv(found: Comparison, groups: Sequence[GroupScore], path: Path) -> None:
    """Write one row per method, score and group."""
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([
            "method", "score", "image", "region", "by", "group", "mean_mask_ratio", "value", "low", "high", "n",
        ])  # fmt: skip
        for each in groups:
            name, e = ScoreName.parse(each.score), each.estimate
            method = [found.names[each.index], name.metric, name.image, name.region]
            writer.writerow(
                [*method, each.by, each.group, each.mean_mask_ratio, e["value"], e["low"], e["high"], e["n"]]
            )
