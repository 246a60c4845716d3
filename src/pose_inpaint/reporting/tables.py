"""A comparison as Markdown and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose_inpaint.evaluation.scored_run import ScoredRun
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.score_names import WNJD_IN_WORDS, Intervals, ScoreName, label
from pose_inpaint.reporting.console import describe_bounds
from pose_inpaint.reporting.cost_table import COST, cost_markdown, cost_row
from pose_inpaint.reporting.markup import markdown_table
from pose_inpaint.reporting.paired_differences import Difference
from pose_inpaint.runtime.files import written_whole

INTERVALS_IN_WORDS = {
    "full": " with 95 % bootstrap intervals over images",
    "half": " ± half the width of their 95 % bootstrap intervals over images",
    "none": "",
}
EQUAL = "=: equal to another method's value in all digits shown."


@dataclass(frozen=True)
class Comparison:
    """Methods, scores, and the result of comparing them.

    Attributes:
        runs: Methods that were scored.
        names: Name of each method, all different.
        scores: Full names METRIC_IMAGE_REGION.
        differences: Paired differences of every two methods.
        best: Index of the best method by score; None where no method is better than all others.
        intervals: How the tables print intervals; CSV files have both ends.
    """

    runs: Sequence[ScoredRun]
    names: Sequence[str]
    scores: Sequence[str]
    differences: Sequence[Difference]
    best: Mapping[str, int | None]

    intervals: Intervals = "full"

    @cached_property
    def cells(self) -> dict[str, list[str]]:
        """Cells of each score, one per method."""
        return {
            score: format_cells(score, [run.file.estimate(score) for run in self.runs], self.intervals)
            for score in self.scores
        }

    def marked(self, index: int, mark: str) -> list[str]:
        """A method's cells, those in which it is the best put into `mark`, such as "**{}**"."""
        cells = [(self.cells[score][index], self.best[score] == index) for score in self.scores]
        return [mark.format(cell) if best else cell for cell, best in cells]


def format_cells(score: str, estimates: Sequence[Estimate | None], intervals: Intervals) -> list[str]:
    """Values with digits that tell them apart; "=" marks a value equal to another's, a dash a missing one."""
    name, values = ScoreName.parse(score), [None if each is None else each["value"] for each in estimates]
    decimals = name.decimals(values)
    texts = [name.format(value, decimals) for value in values]
    return [
        "-" if each is None else f"{'= ' * (texts.count(text) > 1)}{name.format_estimate(each, decimals, intervals)}"
        for each, text in zip(estimates, texts, strict=True)
    ]


def write_markdown(found: Comparison, path: Path) -> None:
    """Write the table, what it is of, what the methods cost, and the paired differences to the first method."""
    labels = [label(score) for score in found.scores]
    rows = [
        [name, run.checkpoint, *found.marked(index, "**{}**")]
        for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True))
    ]
    lines = markdown_table(["method", "checkpoint", *labels], rows)
    lines += ["", *describe(found), *cost_markdown(found.runs, found.names)]
    if len(found.runs) > 1:
        lines += ["", f"Differences to {found.names[0]}, over the same images and masks:", ""]
        differences = [
            [name, *cells]
            for name, *cells in zip(found.names[1:], *(_difference_cells(found, s) for s in found.scores), strict=True)
        ]
        lines += markdown_table(["method", *labels], differences)
    with written_whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _difference_cells(found: Comparison, score: str) -> list[str]:
    """Difference of each further method to the first, with digits that tell it from zero and from the others."""
    name = ScoreName.parse(score)
    by_method = {d.second: _negated(d.estimate) for d in found.differences if (d.score, d.first) == (score, 0)}
    decimals = name.decimals([0.0, *(estimate["value"] for estimate in by_method.values())])
    return [
        name.format_estimate(by_method[index], decimals, found.intervals) if index in by_method else "-"
        for index in range(1, len(found.runs))
    ]


def _negated(estimate: Estimate) -> Estimate:
    """Estimate of the difference the other way round."""
    value, low, high = (None if e is None else 0 - e for e in (estimate["value"], estimate["high"], estimate["low"]))
    return {"value": value, "low": low, "high": high, "n": estimate["n"]}


def describe(found: Comparison) -> list[str]:
    """Sentences on what the numbers are of."""
    file = found.runs[0].file
    lines = [
        f"Means over {file.n} images ({file.data.name}, split {file.split}, data "
        f"{file.data.sha256[:12]}, masks {file.masks_sha256[:12]}; {file.mean_mask_ratio:.1%} "
        f"masked on average){INTERVALS_IN_WORDS[found.intervals]}.",
        "Bold: better than every other method, the 95 % interval of the paired difference leaving zero out.",
    ]
    if any(cell.startswith("=") for cells in found.cells.values() for cell in cells):
        lines.append(EQUAL)
    for run, name in zip(found.runs, found.names, strict=True):
        if run.file.sources is not None:
            near = run.file.sources.near_duplicates
            lines.append(f"{name}: {near} of {run.file.n} images were inpainted from a near-duplicate.")
    posed = next((run for run in found.runs if run.estimator), None)
    if posed and any(ScoreName.parse(score).is_pose for score in found.scores):
        n = max(estimate["n"] for score, estimate in posed.file.scores.items() if ScoreName.parse(score).is_pose)
        lines.append(f"{WNJD_IN_WORDS} Joints: {posed.estimator}; {n} images whose original shows a person.")
        lines += [f"{line}." for line in describe_bounds(posed.file.pose)]
    return lines


def write_csv(found: Comparison, path: Path) -> None:
    """Write one row per method and score, with all that it depends on."""
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as output:
        writer = csv.writer(output)
        writer.writerow([
            "method", "score", "image", "region", "value", "low", "high", "n", "best", "data", "data_sha256", "split",
            "masks_sha256", "checkpoint_sha256", "estimator", *COST,
        ])  # fmt: skip
        for place, (run, name) in enumerate(zip(found.runs, found.names, strict=True)):
            file, digest = run.file, run.file.checkpoint.sha256 if run.file.checkpoint else ""
            for score in map(ScoreName.parse, found.scores):
                e = file.estimate(str(score))
                if e is None:
                    continue
                writer.writerow([
                    name, score.metric, score.image, score.region, e["value"], e["low"], e["high"], e["n"],
                    int(found.best[str(score)] == place), file.data.name, file.data.sha256, file.split,
                    file.masks_sha256, digest, run.estimator if score.is_pose else "", *cost_row(run),
                ])  # fmt: skip


def write_differences(found: Comparison, path: Path) -> None:
    """Write one row per pair of methods and score."""
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["score", "method", "other", "difference", "low", "high", "n", "better"])
        for each in found.differences:
            better = "" if each.better is None else found.names[each.better]
            e = each.estimate
            pair = (found.names[each.first], found.names[each.second])
            writer.writerow([each.score, *pair, e["value"], e["low"], e["high"], e["n"], better])
