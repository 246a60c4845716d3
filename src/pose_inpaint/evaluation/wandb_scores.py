"""The scores of the test split on W&B: numbers, a table beside the mean fill, and curves against the mask ratio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pose_inpaint.metrics.score_names import ScoreName, label
from pose_inpaint.tracking.wandb_logger import RunLogger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning.pytorch.loggers import Logger

    from pose_inpaint.evaluation.scores_file import ScoresFile
    from pose_inpaint.metrics.bootstrap import Estimate

TABLE = ("score", "image", "region", "value", "low", "high", "n", "mean fill", "mean fill low", "mean fill high")
CURVE = ("mask ratio (%)", "value", "low", "high", "n", "group")


def log_scores(loggers: Iterable[Logger], file: ScoresFile) -> None:
    """Send the scores to W&B where a logger does.

    Args:
        loggers: Loggers of the run.
        file: The scores.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            import wandb

            logger.log_metrics({**numbers(file), "test/scores": wandb.Table(list(TABLE), table(file))})
            for score in file.scores:
                points = wandb.Table(list(CURVE), curve(file, score))
                title = f"{label(score)}, against the mask ratio"
                chart = wandb.plot.line(points, x=CURVE[0], y="value", title=title)
                logger.log_metrics({f"mask_ratio/{score}": chart})


def numbers(file: ScoresFile) -> dict[str, float]:
    """Value of each score as `test/SCORE`, where it has one."""
    values = {f"test/{name}": _finite(estimate["value"]) for name, estimate in file.scores.items()}
    return {name: value for name, value in values.items() if value is not None}


def table(file: ScoresFile) -> list[list[Any]]:
    """One row per score: value, interval and n, and the mean fill's, which has composite scores only."""
    rows: list[list[Any]] = []
    for name, estimate in file.scores.items():
        parts, beside = ScoreName.parse(name), (file.mean_fill or {}).get(name)
        bounds = [_interval(each) if each else [None] * 3 for each in (estimate, beside)]
        rows.append([parts.metric, parts.image, parts.region, *bounds[0], estimate["n"], *bounds[1]])
    return rows


def curve(file: ScoresFile, score: str) -> list[list[Any]]:
    """One row per group of mask ratio: its mean in percent, value, interval, n and the name of the group."""
    rows: list[list[Any]] = []
    for name, group in file.by_mask_ratio.items():
        estimate = group.scores[score]
        rows.append([100 * group.mean_mask_ratio, *_interval(estimate), estimate["n"], name])
    return rows


def _interval(estimate: Estimate) -> list[float | None]:
    return [_finite(estimate[key]) for key in ("value", "low", "high")]


def _finite(value: float | None) -> float | None:
    """None for what is no finite number, which a table can't hold."""
    return value if value is not None and math.isfinite(value) else None
