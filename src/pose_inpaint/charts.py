"""Charts of comparisons, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_inpaint.comparison import by_hidden_share
from pose_inpaint.errors import InputError
from pose_inpaint.report_files import label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pose_inpaint.report_files import Comparison

COLUMNS = 3
PANEL = (4.6, 3.4)  # inches


def draw_curves(found: Comparison, edges: Sequence[float], seed: int, path: Path) -> None:
    """Each score against the hidden share, with 95 % intervals: a panel a score, a line a system.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # an extra: only this line needs it
    except ModuleNotFoundError as error:
        message = "curves.png needs matplotlib: pip install 'pose-inpaint[charts]'"
        raise InputError(message) from error
    scores = [score for score in found.scores if any(score in run.values for run in found.runs)]
    rows = -(-len(scores) // COLUMNS)
    columns = min(COLUMNS, len(scores))
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, score in zip(axes, scores, strict=False):
        for run, name in zip(found.runs, found.names, strict=True):
            if score not in run.values:
                continue
            groups = by_hidden_share(run, score, edges, seed)
            x = [100 * share for share, _ in groups]
            y = [e["value"] for _, e in groups]
            errors = [[e["value"] - e["low"] for _, e in groups], [e["high"] - e["value"] for _, e in groups]]
            panel.errorbar(x, y, yerr=errors, marker="o", markersize=3, capsize=2, linewidth=1.2, label=name)
        panel.set_title(label(score), fontsize=9)
        panel.set_xlabel("hidden share (%)", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(visible=True, linewidth=0.3)
    for panel in axes[len(scores) :]:
        panel.axis("off")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=120)
