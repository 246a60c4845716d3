"""`metrics.csv`: one history per run, however often the run was stopped and resumed."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from pose_inpaint.runtime.files import written_whole
from pose_inpaint.tracking.files import HISTORY
from pose_inpaint.tracking.run_logger import FolderLogger


class HistoryLogger(FolderLogger):
    """Append what is logged to `metrics.csv`, one row per call.

    Lightning's `CSVLogger` removes the file of an earlier start and empties it while it adds a column.

    Args:
        folder: Folder of the run.
        resumed_at: Number of batches after which the run is resumed in this folder; None for a new run. Later rows,
            and a row that a killed process left half written, are cut off, since they will be logged again.
    """

    def __init__(self, folder: Path, resumed_at: int | None = None) -> None:
        super().__init__()
        self.path = folder / HISTORY
        self.columns: list[str] = []
        self._rows: list[dict[str, Any]] = []
        if resumed_at is not None and self.path.is_file():
            self.columns, rows = _read(self.path)
            whole = (row for row in rows if None not in row.values())
            _write(self.path, self.columns, [row for row in whole if int(row["step"] or resumed_at) < resumed_at])

    @property
    def save_dir(self) -> str:
        """Folder of the run."""
        return str(self.path.parent)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row, which Lightning has saved right after."""
        self._rows.append({**metrics, "step": step})

    @rank_zero_only
    def save(self) -> None:
        """Write the rows that were added; new columns are sorted in with the file written whole again."""
        columns = sorted({*self.columns, *(key for row in self._rows for key in row)})
        if columns != self.columns:
            rows = _read(self.path)[1] if self.columns else []
            _write(self.path, columns, rows)
            self.columns = columns
        if self._rows:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns).writerows(self._rows)
        self._rows = []

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the last rows."""
        self.save()


def _read(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or []), list(reader)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
