"""Curves of scores against the mask ratio."""

import logging
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose_inpaint.metrics.score_names import label
from pose_inpaint.reporting.groups import GroupScore
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.optional import import_extra

COLUMNS = 3
PANEL = (4.6, 3.4)  # inches
COLOURS = 10  # length of matplotlib's colour cycle
LETTER, HANDLE = 0.075, 0.7  # inches that a letter of the legend takes, and the line with the gap before its name
LINE = 0.17  # inches that a line of the legend takes
APART, WIDEST = 0.5, 2.0  # % of mask ratio between two methods' points, whose intervals would cover each other, and all


def draw_curves(names: Sequence[str], groups: Sequence[GroupScore], paths: Sequence[Path]) -> bool:
    """Draw each score against the mask ratio with 95 % intervals, one panel per score and one line per method.

    The points of a group stand a little apart. Returns whether there was a score to draw.

    Args:
        names: Names of the methods.
        groups: Scores by mask ratio; others are left out.
        paths: Files to write, .png or .pdf.

    Raises:
        InputError: matplotlib is not installed.
    """
    figures, matplotlib = (
        import_extra(m, "curves need matplotlib", "charts") for m in ("matplotlib.figure", "matplotlib")
    )
    groups = [each for each in groups if each.by == "mask ratio"]
    scores = list(dict.fromkeys(each.score for each in groups))
    if not scores:
        return False
    columns = min(COLUMNS, math.ceil(math.sqrt(len(scores))))
    rows = math.ceil(len(scores) / columns)
    figure = figures.Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    apart = min(APART, WIDEST / len(names))
    lines: dict[int, Any] = {}
    for panel, score in zip(axes, scores, strict=False):
        for index in range(len(names)):
            points = [each for each in groups if (each.score, each.index) == (score, index)]
            if points:
                lines[index] = _draw_line(panel, points, apart * (index - (len(names) - 1) / 2), index)
        panel.set_title(label(score), fontsize=9)
        panel.set_xlabel("mask ratio (%)", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(visible=True, linewidth=0.3)
    for panel in axes[len(scores) :]:
        panel.axis("off")
    _draw_legend(figure, [lines[index] for index in sorted(lines)], [names[index] for index in sorted(lines)])
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # a PDF's fonts are a hundred lines of its log
    for path in paths:
        # TrueType, as journals ask for; matplotlib's default is Type 3
        with written_whole(path) as part, matplotlib.rc_context({"pdf.fonttype": 42}):
            figure.savefig(part, dpi=120, format=path.suffix[1:])
    return True


def _draw_line(panel: Any, points: Sequence[GroupScore], shift: float, index: int) -> Any:
    x = [100 * each.mean_mask_ratio + shift for each in points]
    y, low, high = (np.array([each.estimate[key] for each in points], float) for key in ("value", "low", "high"))
    # Where all values are equal, rounding can put the mean just outside its interval.
    below, above = np.maximum(y - low, 0), np.maximum(high - y, 0)
    rounds = index // COLOURS  # methods that share a colour differ in marker and line style
    style: dict[str, Any] = {
        "marker": "os^Dv"[rounds % 5],
        "linestyle": ("-", "--", ":")[rounds % 3],
        "color": f"C{index}",
    }
    style |= {"markersize": 3, "capsize": 2, "linewidth": 1.2}
    return panel.errorbar(x, y, yerr=[below, above], **style)


def _draw_legend(figure: Any, lines: Sequence[Any], names: Sequence[str]) -> None:
    """Draw the legend below the panels in as many columns as fit; names wider than the figure take several lines."""
    width = figure.get_figwidth()
    names = [textwrap.fill(name, int((width - HANDLE) / LETTER)) for name in names]
    longest = max(len(line) for name in names for line in name.splitlines())
    columns = max(1, min(4, int(width / (LETTER * longest + HANDLE))))
    figure.set_figheight(figure.get_figheight() + LINE * sum(name.count("\n") + 1 for name in names) / columns)
    legend = figure.legend(lines, names, loc="outside lower center", ncols=columns, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)  # $ is a letter of names
