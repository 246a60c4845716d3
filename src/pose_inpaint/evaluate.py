"""`python -m pose_inpaint.evaluate checkpoint=PATH data=...`, `model=mean` or `predictions=DIR`: scores a system."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint import build
from pose_inpaint.cli import run_command
from pose_inpaint.config import EvaluateSettings, plain_config, read_settings
from pose_inpaint.cost import describe_cost
from pose_inpaint.data.sources import SPLITS
from pose_inpaint.errors import InputError
from pose_inpaint.examples import draw_ranked, write_examples
from pose_inpaint.metrics import PictureMetric
from pose_inpaint.metrics.distribution import DistributionMetric
from pose_inpaint.pose_bounds import score_bounds
from pose_inpaint.provenance import describe_run, describe_scores, write_json, write_records
from pose_inpaint.scoring import score, timed
from pose_inpaint.system_choice import System, choose_system, read_predictions
from pose_inpaint.tables import describe_cost_briefly, describe_seconds, score_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from omegaconf import DictConfig
    from torchmetrics import Metric

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.data.sources import Record
    from pose_inpaint.pose.judge import PoseJudge
    from pose_inpaint.scoring import Scores
    from pose_inpaint.types import Batch

JOINTS = {"all": ("whole",), "hidden": ("hole",), "both": ("whole", "hole")}


def main() -> None:
    """The command."""
    run_command("evaluate", run)


def run(config: DictConfig) -> None:
    """Scores as configured.

    Raises:
        InputError: something that the user gave can't be used; nothing is written then.
    """
    settings = read_settings(config, EvaluateSettings)
    check_settings(settings)
    device = build.choose_device(settings.device)
    system = choose_system(settings, device) if settings.predictions is None else None
    judge = build.build_judge(settings.pose, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    pictures = data.pictures(settings.split)
    metrics = build_scores(settings, judge, len(pictures))
    seconds: dict[str, float] = {}
    with timed(seconds, "checking"):
        inspections = data.inspect(settings.split)
    if inspections[0].blind:
        message = (
            f"split={settings.split}: {inspections[0].blind} pictures have no original to score against; use predict"
        )
        raise InputError(message)
    system = system or read_predictions(settings, data)
    batches = data.split_dataloader(settings.split)
    if judge is not None:
        with timed(seconds, "poses of originals"):
            find_originals(judge, batches)
    scores = score(system.complete, batches, metrics, device, seed=settings.seed, title=f"Scoring {settings.split}")
    seconds |= scores.seconds
    bounds = None
    if judge is not None and settings.pose.bounds:
        with timed(seconds, "pose bounds"):
            bounds = score_bounds(judge, settings.pose, JOINTS[settings.pose.joints], batches, settings.seed)
    summary = scores.summary(settings.share_edges)
    read = settings.predictions is not None
    summary["cost"] = describe_cost(
        scores.meter, system.network, settings.data.size, settings.data.batch_size, reads_files=read
    )
    write_results(settings, plain_config(config), system, scores, summary, inspections, data, device, judge, bounds)
    with timed(seconds, "drawing"):
        draw_ranked(system.complete, pictures, settings.sheet, scores, device, settings.run_dir)
        write_examples(system.complete, pictures, settings.examples, device, settings.run_dir)
    print(score_table(summary, settings.sheet.rank_by, None if judge is None else judge.describe(), bounds))
    print(f"\n{describe_seconds(seconds, summary['n'])}")
    print(describe_cost_briefly(summary["cost"]))
    print(f"{summary['n']} pictures, {summary['mean_hidden_share']:.1%} hidden on average: {settings.run_dir}")


def find_originals(judge: PoseJudge, batches: Iterable[Batch]) -> None:
    """Looks at the originals, which is remembered, before anything is completed.

    Raises:
        InputError: not one of them shows a person.
    """
    usable = [judge.reference(batch).usable for batch in batches]
    if not torch.cat(usable).any():
        message = (
            f"pose: no person is found in any of the {len(torch.cat(usable))} originals; choose another estimator or "
            "smaller thresholds in pose.estimator, or pose.reference=annotated"
        )
        raise InputError(message)


def check_settings(settings: EvaluateSettings) -> None:
    """Refuses, before anything is read, what can be seen from the settings alone."""
    if settings.split not in SPLITS:
        message = f"split={settings.split}: not one of {', '.join(SPLITS)}"
        raise InputError(message)
    if settings.predictions is None and settings.model is None and settings.checkpoint is None:
        message = "nothing to score: give checkpoint=PATH, a system without one such as model=mean, or predictions=DIR"
        raise InputError(message)
    if settings.predictions is not None and (settings.model is not None or settings.checkpoint is not None):
        message = "predictions and a system are both given; give predictions=DIR alone"
        raise InputError(message)
    if settings.predictions is not None and settings.postprocess.get("_target_"):
        message = "postprocess: predictions are scored as they are; leave it out"
        raise InputError(message)
    if settings.sheet.each < 1:
        message = f"sheet.each={settings.sheet.each}: must be at least 1"
        raise InputError(message)
    if settings.examples < 0:
        message = f"examples={settings.examples}: must be at least 0"
        raise InputError(message)
    if settings.pose.joints not in JOINTS:
        message = f"pose.joints={settings.pose.joints}: not one of {', '.join(JOINTS)}"
        raise InputError(message)
    if not 1 <= settings.pose.resave_quality <= 100:
        message = f"pose.resave_quality={settings.pose.resave_quality}: must be in 1..100"
        raise InputError(message)


def build_scores(settings: EvaluateSettings, judge: PoseJudge | None, pictures: int) -> dict[str, Metric]:
    """Every score asked for, by its full name METRIC_PICTURE_REGION.

    Raises:
        InputError: a score can't be built or taken of so few pictures, or the one that ranks them is not among them.
    """
    metrics = build.build_metrics(settings.metric, settings.pictures, settings.regions)
    if judge is not None:
        regions = JOINTS[settings.pose.joints]
        metrics |= build.build_metrics(settings.pose.scores, settings.pose.pictures, regions, judge=judge)
    for name, metric in metrics.items():
        if isinstance(metric, DistributionMetric) and pictures < metric.fewest:
            message = f"metric: {name} needs at least {metric.fewest} pictures, here are {pictures}; leave it out"
            raise InputError(message)
    ranking = [name for name, metric in metrics.items() if isinstance(metric, PictureMetric) and "pooled" not in name]
    if settings.sheet.rank_by not in ranking:
        message = f"sheet.rank_by={settings.sheet.rank_by}: not one of {', '.join(ranking)}"
        raise InputError(message)
    return metrics


def write_results(
    settings: EvaluateSettings,
    plain: dict[str, Any],
    system: System,
    scores: Scores,
    summary: dict[str, Any],
    inspections: Sequence[Inspection],
    data: InpaintingData,
    device: torch.device,
    judge: PoseJudge | None,
    bounds: dict[str, Any] | None,
) -> None:
    """Writes `scores.json`, `scores.csv` and the records of the run."""
    folder = Path(settings.run_dir)
    write_records(folder, plain, describe_run(plain, inspections, str(device), None))
    pose: dict[str, Any] | None = None
    if judge is not None:
        pose = {"estimator": judge.estimator.name, "reference": judge.kind, **(bounds or {})}
        if judge.kind == "annotated":
            pose["joints_sha256"] = joints_digest(data.pictures(settings.split).records)
    record = describe_scores(
        system.name,
        settings.split,
        settings.data.root,
        inspections[0],
        settings.seed,
        {**system.origin, "metric": settings.metric},
        pose,
        summary,
    )
    write_json(folder / "scores.json", record)
    scores.write_csv(folder / "scores.csv")


def joints_digest(records: Sequence[Record]) -> str:
    """Digest of the annotation that poses were compared with."""
    return hashlib.sha256(repr([(record.name, record.joints) for record in records]).encode()).hexdigest()


if __name__ == "__main__":
    main()
