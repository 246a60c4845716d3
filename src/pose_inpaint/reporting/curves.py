"""Curves of scores against the mask ratio."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose_inpaint.metrics.score_names import label
from pose_inpaint.reporting.paired_differences import by_mask_ratio
from pose_inpaint.reporting.tables import Comparison
from pose_inpaint.runtime.optional import import_extra

COLUMNS = 3
PANEL = (4.6, 3.4)  # inches
COLOURS = 10  # length of matplotlib's colour cycle


def draw_curves(found: Comparison, edges: Sequence[float], seed: int, path: Path) -> bool:
    """Draw each score against the mask ratio with 95 % intervals, one panel per score and one line per method.

    Scores of a whole set (pooled PSNR, FID) have no panel. Returns whether there was a score to draw.

    Raises:
        InputError: matplotlib is not installed.
    """
    drawing = import_extra("matplotlib.figure", "curves.png needs matplotlib", "charts")
    scores = [score for score in found.scores if any(score in run.values for run in found.runs)]
    if not scores:
        return False
    rows = -(-len(scores) // COLUMNS)
    columns = min(COLUMNS, len(scores))
    figure = drawing.Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    lines: dict[str, Any] = {}
    for panel, score in zip(axes, scores, strict=False):
        for index, (run, name) in enumerate(zip(found.runs, found.names, strict=True)):
            if score not in run.values:
                continue
            groups = by_mask_ratio(run, score, edges, seed)
            x = [100 * mask_ratio for mask_ratio, _ in groups]
            y, low, high = (np.array([e[key] for _, e in groups], float) for key in ("value", "low", "high"))
            # Where all values are equal, rounding can put the mean just outside its interval.
            below, above = np.maximum(y - low, 0), np.maximum(high - y, 0)
            rounds = index // COLOURS  # methods that share a colour differ in marker and line style
            style: dict[str, Any] = {
                "marker": "os^Dv"[rounds % 5],
                "linestyle": ("-", "--", ":")[rounds % 3],
                "color": f"C{index}",
            }
            style |= {"markersize": 3, "capsize": 2, "linewidth": 1.2}
            lines[name] = panel.errorbar(x, y, yerr=[below, above], **style)
        panel.set_title(label(score), fontsize=9)
        panel.set_xlabel("mask ratio (%)", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(visible=True, linewidth=0.3)
    for panel in axes[len(scores) :]:
        panel.axis("off")
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=120)
    return True
