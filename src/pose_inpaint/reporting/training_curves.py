"""Curves of trainings over the batches seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_inpaint.data.photos import SOFTWARE
from pose_inpaint.metrics.score_names import label
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.tracking.run_history import History

COLUMNS = 3
PANEL = (4.8, 3.3)  # inches
FEWEST_TO_SMOOTH = 60  # points; fewer are drawn as they are
APART = 0.1  # distance between names of phases, relative to the width
LOG_SPREAD = 10.0  # ratio of high to low values from which an axis is logarithmic


def draw_trainings(histories: Sequence[History], path: Path) -> None:
    """Draw a panel for each column that a history has, with a line for each history.

    A noisy column is drawn pale, under its running mean. Dashed lines mark where a phase begins.

    Raises:
        InputError: matplotlib is not installed.
    """
    drawing = import_extra("matplotlib.figure", "curves need matplotlib", "charts")
    columns = sorted({column for history in histories for column in history.points}, key=_order)
    wide = min(COLUMNS, len(columns))
    rows = -(-len(columns) // wide)
    figure = drawing.Figure(figsize=(PANEL[0] * wide, PANEL[1] * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, wide, squeeze=False).ravel()
    lines: dict[str, Any] = {}
    last = max(batch for history in histories for points in history.points.values() for batch, _ in points)
    for panel, column in zip(panels, columns, strict=False):
        for index, history in enumerate(histories):
            if column in history.points:
                smooth = not column.endswith("/lr")
                lines[history.name] = _draw(panel, history.points[column], f"C{index}", smooth=smooth)
        marked = _mark_phases(panel, histories, last)
        values = [value for history in histories for _, value in history.points.get(column, [])]
        if is_logarithmic(column, values):
            panel.set_yscale("log")
        panel.set_xlim(0, last * 1.02)
        panel.set_title(_title(column), fontsize=9, pad=6 if not marked else 12)
        panel.set_xlabel("batches", fontsize=8)
        panel.tick_params(labelsize=8, which="both")
        panel.grid(visible=True, linewidth=0.3)
    for panel in panels[len(columns) :]:
        panel.axis("off")
    figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=4, fontsize=8)
    with written_whole(path) as part:
        figure.savefig(part, dpi=120, format="png", metadata={"Software": SOFTWARE})


def running_mean(values: Float[np.ndarray, " n"], width: int) -> Float[np.ndarray, " n"]:
    """Return the mean over `width` values around each, over fewer near the ends; `width` is odd."""
    ones = np.ones(width)
    counts = np.convolve(np.ones_like(values), ones)[width // 2 :][: len(values)]
    mean: Float[np.ndarray, " n"] = np.convolve(values, ones)[width // 2 :][: len(values)] / counts
    return mean


def is_logarithmic(column: str, values: Sequence[float]) -> bool:
    """Whether a column is read better on a logarithmic axis: positive, and over more than a decade but for outliers.

    Learning rates are not: they fall to zero, and their shape is what is looked at.
    """
    if column.endswith("/lr") or min(values) <= 0:
        return False
    low, high = np.quantile(values, [0.02, 0.98])
    return bool(high / low >= LOG_SPREAD)


def _draw(panel: Any, points: Sequence[tuple[int, float]], colour: str, *, smooth: bool) -> Any:
    """Draw a line, and return what stands for it in the legend."""
    x, y = np.array(points, float).T
    if not smooth or len(x) < FEWEST_TO_SMOOTH:
        (line,) = panel.plot(x, y, color=colour, linewidth=1.3, marker="o" if len(x) < 20 else None, markersize=3)
        return line
    panel.plot(x, y, color=colour, linewidth=0.7, alpha=0.25)
    (line,) = panel.plot(x, running_mean(y, 2 * (len(x) // 60) + 1), color=colour, linewidth=1.4)
    return line


def _mark_phases(panel: Any, histories: Sequence[History], last: int) -> bool:
    """Mark where phases begin, and name those that are not close to one of that name; return whether there are any."""
    starts = sorted({start for history in histories if len(history.phases) > 1 for start in history.phases})
    named: dict[str, int] = {}
    for batch, name in starts:
        panel.axvline(batch, color="0.5", linestyle="--", linewidth=0.7)
        if name not in named or batch - named[name] > APART * last:
            named[name] = batch
            place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            panel.annotate(name, (batch, 1), (2, 2), **place, fontsize=6, color="0.35")
    return bool(starts)


def _order(column: str) -> tuple[int, str]:
    """Losses, scores, then learning rates."""
    return (2 if column.endswith("/lr") else 1 if column.startswith("val/") else 0), column


def _title(column: str) -> str:
    """Name of a column for people."""
    kind, _, rest = column.partition("/")
    if kind == "val":
        return f"{label(rest) if rest.count('_') >= 2 else rest} (val)"
    return rest.replace("/total", " loss").replace("/lr", " learning rate").replace("_", " ").replace("/", ", ")
