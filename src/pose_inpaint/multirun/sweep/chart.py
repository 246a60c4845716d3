"""Chart of a sweep: a scatter plot over one numeric key, otherwise parallel coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_inpaint.metrics.score_names import label
from pose_inpaint.runtime.optional import import_extra

LOG_SPREAD = 10.0  # ratio of the largest to the smallest positive value from which an axis is logarithmic
TICKS = 8  # maximum on a numeric axis
LETTERS = 18  # maximum length of a tick label


@dataclass(frozen=True)
class Axis:
    """A swept key as heights in [0, 1]."""

    key: str
    heights: list[float]  # height of each job, in order
    ticks: list[tuple[float, str]]  # height and text of each tick
    logarithmic: bool


def numbers(values: Sequence[str]) -> list[float] | None:
    """Values as finite numbers, or None if one isn't."""
    try:
        parsed = [float(value) for value in values]
    except ValueError:
        return None
    return parsed if all(map(math.isfinite, parsed)) else None


def make_axis(key: str, values: Sequence[str]) -> Axis:
    """Heights and ticks of a key: linear or logarithmic for numbers, evenly spaced in order of appearance for words."""
    parsed = numbers(values)
    if parsed is None:
        words = list(dict.fromkeys(values))
        word_heights = {word: (index + 0.5) / len(words) for index, word in enumerate(words)}
        ticks = [(height, word[-LETTERS:]) for word, height in word_heights.items()]
        return Axis(key, [word_heights[value] for value in values], ticks, logarithmic=False)
    # The tolerance keeps pairs such as 1e-5 and 1e-4 logarithmic despite rounding.
    logarithmic = min(parsed) > 0 and max(parsed) / min(parsed) >= LOG_SPREAD * (1 - 1e-9)
    scaled = [math.log10(number) for number in parsed] if logarithmic else parsed
    low, span = min(scaled), max(scaled) - min(scaled)
    heights = [(number - low) / span if span else 0.5 for number in scaled]
    marks = sorted(set(zip(heights, parsed, strict=True)))
    if len(marks) > TICKS:
        marks = [marks[round(index * (len(marks) - 1) / (TICKS - 1))] for index in range(TICKS)]
    return Axis(key, heights, [(height, f"{number:.3g}") for height, number in marks], logarithmic)


def draw_sweep(
    keys: Sequence[str], values: Sequence[Sequence[str]], scores: Sequence[float | None], metric: str, path: Path
) -> None:
    """Draw every job; those without a score are marked as failed.

    Args:
        keys: Swept keys, at least one.
        values: Values of each job, one per key.
        scores: Score of each job, None if it failed; at least one is a number.
        metric: Name of the score, METRIC_IMAGE_REGION.
        path: Path of the image.
    """
    drawing = import_extra("matplotlib.figure", "sweep.png needs matplotlib", "charts")
    figure = drawing.Figure(figsize=(max(5.0, 1.9 * (len(keys) + 1)), 4.2), layout="constrained")
    panel = figure.subplots()
    first = [row[0] for row in values]
    x = numbers(first) if len(keys) == 1 else None
    if x is not None:
        _scatter(panel, keys[0], x, scores, metric, logarithmic=make_axis(keys[0], first).logarithmic)
    else:
        axes = [make_axis(key, [row[index] for row in values]) for index, key in enumerate(keys)]
        _parallel(figure, panel, axes, scores, metric)
    figure.savefig(path, dpi=120)


def _scatter(
    panel: Any, key: str, x: Sequence[float], scores: Sequence[float | None], metric: str, *, logarithmic: bool
) -> None:
    panel.scatter(x, [math.nan if score is None else score for score in scores], color="C0")
    failed = [value for value, score in zip(x, scores, strict=True) if score is None]
    if failed:
        lowest = min(score for score in scores if score is not None)
        panel.scatter(failed, [lowest] * len(failed), color="C3", marker="x", label="failed (no score)")
        panel.legend(fontsize=8)
    panel.set_xscale("log" if logarithmic else "linear")
    panel.set_xlabel(key, fontsize=9)
    panel.set_ylabel(f"{label(metric)}, validation", fontsize=9)
    panel.grid(visible=True, linewidth=0.3)


def _parallel(figure: Any, panel: Any, axes: Sequence[Axis], scores: Sequence[float | None], metric: str) -> None:
    """Draw one line per job over one vertical axis per key, coloured by its score; the last axis is the score."""
    done = [score for score in scores if score is not None]
    low, span = min(done), max(done) - min(done)
    tops = [None if score is None else (score - low) / (span or 1) for score in scores]
    shades = panel.scatter([len(axes)] * len(done), [top for top in tops if top is not None], s=9, c=done)
    for job, score in enumerate(scores):
        heights = [axis.heights[job] for axis in axes]
        if score is None:
            panel.plot(range(len(axes)), heights, color="C3", linestyle=":", marker="x", linewidth=1)
        else:
            line = [*heights, tops[job]]
            panel.plot(range(len(line)), line, color=shades.to_rgba(score), marker="o", markersize=3, linewidth=1.2)
    for x, axis in enumerate(axes):
        panel.axvline(x, color="0.6", linewidth=0.6)
        for height, text in axis.ticks:
            panel.annotate(text, (x, height), (3, 2), textcoords="offset points", fontsize=7)
    panel.axvline(len(axes), color="0.6", linewidth=0.6)
    names = [f"{axis.key}{' (log)' if axis.logarithmic else ''}" for axis in axes]
    panel.set_xticks(range(len(axes) + 1), [*names, label(metric)], fontsize=8, rotation=12)
    panel.set_yticks([])
    panel.set_ylim(-0.06, 1.08)
    if any(score is None for score in scores):
        panel.set_title("red, dotted: failed", fontsize=8)
    figure.colorbar(shades, ax=panel, label=f"{label(metric)}, validation")
