"""Scores of methods that were trained with several seeds: means over seeds, and their paired differences."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.metrics.bootstrap import estimate_mean
from pose_inpaint.metrics.score_names import ScoreName, label
from pose_inpaint.reporting.markup import markdown_table
from pose_inpaint.reporting.paired_differences import paired_difference
from pose_inpaint.reporting.tables import Comparison, describe
from pose_inpaint.runtime.files import written_whole

SEEDED = re.compile(r"(.+)_seed\d+")
"""Names that a benchmark with `seeds` gives its methods."""


def seeded_methods(names: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the runs of each method that has several seeds, by its name without `_seedSEED`."""
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if match := SEEDED.fullmatch(name):
            found.setdefault(match[1], []).append(index)
    return {name: indices for name, indices in found.items() if len(indices) > 1}


def write_seeds(found: Comparison, path: Path, seed: int) -> None:
    """Write the means over seeds, and the differences between them; nothing if no method has several seeds.

    Args:
        found: Runs, those of a method with several seeds named `NAME_seedSEED`.
        path: Markdown file.
        seed: Random seed of the intervals.
    """
    methods = seeded_methods(found.names)
    seeded = [index for indices in methods.values() for index in indices]
    scores = [score for score in found.scores if all(score in found.runs[index].values for index in seeded)]
    if not methods or not scores:
        return
    averages = {(name, s): _average(found, s, indices) for name, indices in methods.items() for s in scores}
    rows = []
    for name, indices in methods.items():
        cells = []
        for score in scores:
            means = [estimate_mean(found.runs[index].values[score], seed)["value"] for index in indices]
            decimals = ScoreName.parse(score).decimals(means)
            text = ScoreName.parse(score).format_estimate(estimate_mean(averages[name, score], seed), decimals, "full")
            low, high = (ScoreName.parse(score).format(end, decimals) for end in (min(means), max(means)))  # type: ignore[type-var]
            cells.append(f"{text}; {low} to {high}")
        rows.append([name, str(len(indices)), *cells])
    labels = [label(score) for score in scores]
    lines = [
        describe(found)[0],
        "Scores are averaged over the seeds, image by image; after the semicolon, the least and largest of a seed.",
        "",
        *markdown_table(["method", "seeds", *labels], rows),
    ]
    if len(methods) > 1:
        pairs = [
            [f"{a} - {b}", *(_difference(averages[a, score], averages[b, score], score, seed) for score in scores)]
            for a, b in combinations(methods, 2)
        ]
        lines += ["", "Differences of the averages over seeds, over the same images and masks:", ""]
        lines += markdown_table(["methods", *labels], pairs)
    with written_whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _average(found: Comparison, score: str, indices: Sequence[int]) -> Float[Tensor, " n"]:
    """Score of each image, averaged over the runs; NaN if an image has none in one of them."""
    return torch.stack([found.runs[index].values[score] for index in indices]).mean(0)


def _difference(a: Float[Tensor, " n"], b: Float[Tensor, " n"], score: str, seed: int) -> str:
    estimate = paired_difference(a, b, seed)
    name = ScoreName.parse(score)
    return name.format_estimate(estimate, name.decimals([0.0, estimate["value"]]), "full")
