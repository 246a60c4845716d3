"""Log test scores: numbers, and to W&B a table with the mean fill, and curves over the mask ratio."""

import math
from collections.abc import Iterable
from typing import Any

from lightning.pytorch.loggers import Logger

from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.score_names import ScoreName, label
from pose_inpaint.tracking.run_logger import BatchLogger
from pose_inpaint.tracking.wandb_logger import RunLogger

TABLE = ("score", "image", "region", "value", "low", "high", "n", "mean fill", "mean fill low", "mean fill high")
CURVE = ("mask ratio (%)", "value", "low", "high", "n", "group")


def log_scores(loggers: Iterable[Logger], file: ScoresFile) -> None:
    """Log the scores to all loggers but the history of the training."""
    for logger in loggers:
        if isinstance(logger, BatchLogger):
            logger.log_metrics(numbers(file))
        if isinstance(logger, RunLogger):
            import wandb

            logger.log_metrics({**numbers(file), "test/scores": wandb.Table(list(TABLE), table(file))})
            for score in file.scores:
                points = wandb.Table(list(CURVE), curve(file, score))
                title = f"{label(score)}, against the mask ratio"
                chart = wandb.plot.line(points, x=CURVE[0], y="value", title=title)
                logger.log_metrics({f"mask_ratio/{score}": chart})


def numbers(file: ScoresFile) -> dict[str, float]:
    """Finite value of each score as `test/SCORE`."""
    values = {f"test/{name}": _finite(estimate["value"]) for name, estimate in file.scores.items()}
    return {name: value for name, value in values.items() if value is not None}


def table(file: ScoresFile) -> list[list[Any]]:
    """One row per score with value, interval and n, and the mean fill's value and interval if it has the score."""
    rows: list[list[Any]] = []
    for name, estimate in file.scores.items():
        parts, beside = ScoreName.parse(name), (file.mean_fill or {}).get(name)
        bounds = [_interval(each) if each else [None] * 3 for each in (estimate, beside)]
        rows.append([parts.metric, parts.image, parts.region, *bounds[0], estimate["n"], *bounds[1]])
    return rows


def curve(file: ScoresFile, score: str) -> list[list[Any]]:
    """One row per mask-ratio group: mean mask ratio in percent, value, interval, n and name of the group."""
    rows: list[list[Any]] = []
    for name, group in file.by_mask_ratio.items():
        estimate = group.scores[score]
        rows.append([100 * group.mean_mask_ratio, *_interval(estimate), estimate["n"], name])
    return rows


def _interval(estimate: Estimate) -> list[float | None]:
    return [_finite(estimate[key]) for key in ("value", "low", "high")]


def _finite(value: float | None) -> float | None:
    """Replace a value that isn't finite, which a W&B table can't hold, with None."""
    return value if value is not None and math.isfinite(value) else None
