"""The chart of a sweep, by matplotlib: a scatter over one numeric key, parallel coordinates over several."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pose_inpaint.metrics.score_names import label
from pose_inpaint.runtime.optional import import_extra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG_SPREAD = 10.0  # positive values whose extremes are this many times apart are drawn on a logarithmic axis
TICKS = 8  # at most, on an axis of numbers
LETTERS = 18  # of a tick


@dataclass(frozen=True)
class Axis:
    """A swept key as heights in [0, 1].

    Attributes:
        key: its name.
        heights: of each job, in order.
        ticks: height and text.
        logarithmic: whether equal distances are equal ratios.
    """

    key: str
    heights: list[float]
    ticks: list[tuple[float, str]]
    logarithmic: bool


def numbers(values: Sequence[str]) -> list[float] | None:
    """Values as numbers, None where one is none."""
    try:
        found = [float(value) for value in values]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def make_axis(key: str, values: Sequence[str]) -> Axis:
    """Heights and ticks of a key: numbers by size, or by their logarithm if far apart; words in the order they came."""
    found = numbers(values)
    if found is None:
        words = list(dict.fromkeys(values))
        places = {word: (place + 0.5) / len(words) for place, word in enumerate(words)}
        ticks = [(height, word[-LETTERS:]) for word, height in places.items()]
        return Axis(key, [places[value] for value in values], ticks, logarithmic=False)
    logarithmic = min(found) > 0 and max(found) / min(found) >= LOG_SPREAD * (1 - 1e-9)
    scaled = [math.log10(number) for number in found] if logarithmic else found
    low, span = min(scaled), max(scaled) - min(scaled)
    heights = [(number - low) / span if span else 0.5 for number in scaled]
    each = sorted(set(zip(heights, found, strict=True)))
    if len(each) > TICKS:
        each = [each[round(place * (len(each) - 1) / (TICKS - 1))] for place in range(TICKS)]
    return Axis(key, heights, [(height, f"{number:.3g}") for height, number in each], logarithmic)


def draw_sweep(
    keys: Sequence[str], values: Sequence[Sequence[str]], scores: Sequence[float | None], metric: str, path: Path
) -> None:
    """Draws every job; those without a score are marked as failed.

    Args:
        keys: the swept keys, at least one.
        values: of each job, one a key.
        scores: of each job, None where it failed; at least one is a number.
        metric: the scores' name, METRIC_IMAGE_REGION.
        path: of the image.

    Raises:
        InputError: matplotlib is not installed.
    """
    drawing = import_extra("matplotlib.figure", "sweep.png needs matplotlib", "charts")
    figure = drawing.Figure(figsize=(max(5.0, 1.9 * (len(keys) + 1)), 4.2), layout="constrained")
    panel = figure.subplots()
    first = [row[0] for row in values]
    found = numbers(first) if len(keys) == 1 else None
    if found is not None:
        _scatter(panel, keys[0], found, scores, metric, logarithmic=make_axis(keys[0], first).logarithmic)
    else:
        axes = [make_axis(key, [row[place] for row in values]) for place, key in enumerate(keys)]
        _parallel(figure, panel, axes, scores, metric)
    figure.savefig(path, dpi=120)


def _scatter(
    panel: Any, key: str, x: Sequence[float], scores: Sequence[float | None], metric: str, *, logarithmic: bool
) -> None:
    done = [(place, score) for place, score in zip(x, scores, strict=True) if score is not None]
    failed = [place for place, score in zip(x, scores, strict=True) if score is None]
    panel.scatter([place for place, _ in done], [score for _, score in done], color="C0")
    if failed:
        height = min(score for _, score in done)
        panel.scatter(failed, [height] * len(failed), color="C3", marker="x", label="failed (no score)")
        panel.legend(fontsize=8)
    panel.set_xscale("log" if logarithmic else "linear")
    panel.set_xlabel(key, fontsize=9)
    panel.set_ylabel(f"{label(metric)}, validation", fontsize=9)
    panel.grid(visible=True, linewidth=0.3)


def _parallel(figure: Any, panel: Any, axes: Sequence[Axis], scores: Sequence[float | None], metric: str) -> None:
    """A line a job over an upright axis a key, coloured by its score; the last axis is the score itself."""
    colours = import_extra("matplotlib", "sweep.png needs matplotlib", "charts")
    mapping = import_extra("matplotlib.cm", "sweep.png needs matplotlib", "charts")
    done = [score for score in scores if score is not None]
    scale = colours.colors.Normalize(min(done), max(done) if max(done) > min(done) else min(done) + 1e-12)
    shades = mapping.ScalarMappable(scale, "viridis")
    for place, score in enumerate(scores):
        heights = [axis.heights[place] for axis in axes]
        if score is None:
            panel.plot(range(len(axes)), heights, color="C3", linestyle=":", marker="x", linewidth=1)
        else:
            line = [*heights, float(scale(score))]
            panel.plot(range(len(line)), line, color=shades.to_rgba(score), marker="o", markersize=3, linewidth=1.2)
    for place, axis in enumerate(axes):
        panel.axvline(place, color="0.6", linewidth=0.6)
        for height, text in axis.ticks:
            panel.annotate(text, (place, height), (3, 2), textcoords="offset points", fontsize=7)
    panel.axvline(len(axes), color="0.6", linewidth=0.6)
    names = [f"{axis.key}{' (log)' if axis.logarithmic else ''}" for axis in axes]
    panel.set_xticks(range(len(axes) + 1), [*names, label(metric)], fontsize=8, rotation=12)
    panel.set_yticks([])
    panel.set_ylim(-0.06, 1.08)
    if any(score is None for score in scores):
        panel.set_title("red, dotted: failed", fontsize=8)
    figure.colorbar(shades, ax=panel, label=f"{label(metric)}, validation")
