"""`metrics.csv`: one history of a run, however often it was ended and resumed."""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING

from lightning.pytorch.loggers import CSVLogger

from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.ranks import this_rank
from pose_inpaint.tracking.files import HISTORY

if TYPE_CHECKING:
    from pathlib import Path

KEPT = ".metrics.csv.kept"


def keep_history(folder: Path, batches: int) -> list[str]:
    """Cuts the history back to what a checkpoint knows; the rows after it will come again.

    A row that a killed process left half written is among those cut: a checkpoint is written after its rows.

    Args:
        folder: of the run.
        batches: seen when the checkpoint was written.

    Returns:
        the columns; none where there is no history.
    """
    path = folder / HISTORY
    if (folder / KEPT).exists():  # a process was killed in `history_logger`
        (folder / KEPT).replace(path)
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        kept = [row for row in reader if None not in row.values() and int(row["step"] or batches) < batches]
    _write(path, columns, kept)
    return columns


def _widen(path: Path, columns: list[str]) -> None:
    """Gives the history further columns."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    _write(path, columns, rows)


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def history_logger(folder: Path, batches: int | None) -> CSVLogger:
    """Writes the history.

    Args:
        folder: of the run.
        batches: that the run goes on after, in this folder; None for a run that begins.
    """
    logger = CSVLogger(folder, name="", version="")
    if this_rank() > 0:
        return logger
    columns = keep_history(folder, batches) if batches is not None else []
    if columns:
        (folder / HISTORY).rename(folder / KEPT)  # else Lightning, which knows no history but its own, would remove it
    logger.experiment.metrics_keys.extend(columns)
    # Lightning's own would empty the file first, and a process killed just then would leave it so.
    logger.experiment._rewrite_with_new_header = partial(_widen, folder / HISTORY)
    if columns:
        (folder / KEPT).rename(folder / HISTORY)
    return logger
