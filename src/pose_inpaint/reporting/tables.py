"""A comparison as Markdown, CSV and LaTeX."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose_inpaint.evaluation.scored_run import ScoredRun, distinct_names
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.score_names import WNJD_IN_WORDS, ScoreName, label
from pose_inpaint.reporting.console import describe_bounds
from pose_inpaint.reporting.cost_table import COST, cost_latex, cost_markdown, cost_row
from pose_inpaint.reporting.markup import escape_latex, latex_table, markdown_table
from pose_inpaint.reporting.paired_differences import Difference


@dataclass(frozen=True)
class Comparison:
    """Methods, scores, and the result of comparing them.

    Attributes:
        runs: Methods that were scored.
        scores: Full names METRIC_IMAGE_REGION.
        differences: Paired differences of every two methods.
        best: Index of the best method by score; None where no method is better than all others.
    """

    runs: Sequence[ScoredRun]
    scores: Sequence[str]
    differences: Sequence[Difference]
    best: Mapping[str, int | None]

    @cached_property
    def names(self) -> list[str]:
        """Names of the methods, all different."""
        return distinct_names(self.runs)


def cell(run: ScoredRun, score: str) -> str:
    """Value and interval; a dash for a missing score."""
    estimate = run.file.estimate(score)
    return "-" if estimate is None else ScoreName.parse(score).format_estimate(estimate)


def write_markdown(found: Comparison, path: Path) -> None:
    """Write the table, what it is of, what the methods cost, and the paired differences to the first method."""
    labels = [label(score) for score in found.scores]
    rows = [
        [name, run.checkpoint, *(_marked(found, run, score, index, "**{}**") for score in found.scores)]
        for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True))
    ]
    lines = markdown_table(["method", "checkpoint", *labels], rows)
    lines += ["", *describe(found), *cost_markdown(found.runs, found.names)]
    if len(found.runs) > 1:
        lines += ["", f"Differences to {found.names[0]}, over the same images and masks:", ""]
        differences = [
            [found.names[index], *(_difference_cell(found, score, index) for score in found.scores)]
            for index in range(1, len(found.runs))
        ]
        lines += markdown_table(["method", *labels], differences)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _marked(found: Comparison, run: ScoredRun, score: str, index: int, mark: str) -> str:
    """A cell, put into `mark` for the best method."""
    return mark.format(cell(run, score)) if found.best[score] == index else cell(run, score)


def _difference_cell(found: Comparison, score: str, place: int) -> str:
    for each in found.differences:
        if (each.score, each.first, each.second) == (score, 0, place):
            return ScoreName.parse(score).format_estimate(_negated(each.estimate))
    return "-"


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
        "masked on average) with 95 % bootstrap intervals over images. Bold: better than every other method, the "
        "interval of the paired difference leaving zero out."
    ]
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
    with path.open("w", newline="", encoding="utf-8") as output:
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
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["score", "method", "other", "difference", "low", "high", "n", "better"])
        for each in found.differences:
            better = "" if each.better is None else found.names[each.better]
            e = each.estimate
            pair = (found.names[each.first], found.names[each.second])
            writer.writerow([each.score, *pair, e["value"], e["low"], e["high"], e["n"], better])


def write_latex(found: Comparison, path: Path) -> None:
    """Write the table as a `tabular`, and the costs as another, to be input by a document."""
    rows = []
    for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True)):
        cells = [escape_latex(cell(run, score)) for score in found.scores]
        marked = [
            rf"\textbf{{{text}}}" if found.best[score] == index else text
            for score, text in zip(found.scores, cells, strict=True)
        ]
        rows.append([escape_latex(name), *marked])
    head = ["method", *(escape_latex(label(score)) for score in found.scores)]
    lines = [f"% {line}" for line in describe(found)] + latex_table(head, rows, "l" + "r" * len(found.scores))
    path.write_text("\n".join([*lines, *cost_latex(found.runs, found.names)]) + "\n", encoding="utf-8")
