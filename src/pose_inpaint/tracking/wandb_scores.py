"""The scores of the test split on W&B: numbers, a table beside the mean fill, and curves against the mask ratio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pose_inpaint.metrics.score_names import label
from pose_inpaint.tracking.wandb_logger import RunLogger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lightning.pytorch.loggers import Logger

TABLE = ("score", "image", "region", "value", "low", "high", "n", "mean fill", "mean fill low", "mean fill high")
CURVE = ("mask ratio (%)", "value", "low", "high", "n", "group")


def log_scores(loggers: Iterable[Logger], record: Mapping[str, Any]) -> None:
    """Sends the scores to W&B where that is logged to.

    Args:
        loggers: of the run.
        record: the content of `scores.json`, with `mean_fill`.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            import wandb

            logger.log_metrics({**numbers(record), "test/scores": wandb.Table(list(TABLE), table(record))})
            for score in record["scores"]:
                points = wandb.Table(list(CURVE), curve(record, score))
                title = f"{label(score)}, against the mask ratio"
                chart = wandb.plot.line(points, x=CURVE[0], y="value", title=title)
                logger.log_metrics({f"mask_ratio/{score}": chart})


def numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Each score's value as `test/SCORE`, where it has one."""
    values = {f"test/{name}": _number(estimate["value"]) for name, estimate in record["scores"].items()}
    return {name: value for name, value in values.items() if value is not None}


def table(record: Mapping[str, Any]) -> list[list[Any]]:
    """A row a score: value, interval and n, and the mean fill's, which has composite scores only."""
    rows = []
    for name, estimate in record["scores"].items():
        beside = record["mean_fill"].get(name, {})
        found = [_number(each.get(key)) for each in (estimate, beside) for key in ("value", "low", "high")]
        rows.append([*name.rsplit("_", 2), *found[:3], estimate["n"], *found[3:]])
    return rows


def curve(record: Mapping[str, Any], score: str) -> list[list[Any]]:
    """A row a group of mask ratio: mean mask ratio of its images in percent, value, interval, n and the group."""
    rows = []
    for group, found in record["by_mask_ratio"].items():
        estimate = found["scores"][score]
        value, low, high = (_number(estimate[key]) for key in ("value", "low", "high"))
        rows.append([100 * found["mean_mask_ratio"], value, low, high, estimate["n"], group])
    return rows


def _number(value: float | None) -> float | None:
    """None for what is no finite number, which a table can't hold."""
    return value if value is not None and math.isfinite(value) else None
