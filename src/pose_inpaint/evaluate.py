"""`python -m pose_inpaint.evaluate checkpoint=PATH data=...`, `model=mean` or `predictions=DIR`: scores a system."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from hydra.core.hydra_config import HydraConfig
from torch import nn

from pose_inpaint import build
from pose_inpaint.checkpoint import Checkpoint, load_generator, read_checkpoint
from pose_inpaint.cli import run_command
from pose_inpaint.config import EvaluateSettings, plain_config, read_settings
from pose_inpaint.data.sources import SPLITS
from pose_inpaint.errors import InputError
from pose_inpaint.examples import draw_ranked, write_examples
from pose_inpaint.metrics import PictureMetric
from pose_inpaint.metrics.distribution import DistributionMetric
from pose_inpaint.pose_bounds import score_bounds
from pose_inpaint.predictions import Predictions
from pose_inpaint.provenance import describe_run, describe_scores, write_json, write_records
from pose_inpaint.scoring import completing, score, timed
from pose_inpaint.systems.mean import MeanFill
from pose_inpaint.tables import describe_seconds, score_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from omegaconf import DictConfig
    from torchmetrics import Metric

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.data.sources import Record
    from pose_inpaint.pose.judge import PoseJudge
    from pose_inpaint.scoring import Complete, Scores
    from pose_inpaint.types import Batch, Inpainter

PICTURES = ("composite", "raw")
REGIONS = ("whole", "hole")
JOINTS = {"all": ("whole",), "hidden": ("hole",), "both": ("whole", "hole")}


@dataclass(frozen=True)
class System:
    """What is scored.

    Attributes:
        name: in tables.
        complete: how it completes a batch.
        origin: what it is, as plain data.
    """

    name: str
    complete: Complete
    origin: dict[str, Any]


def main() -> None:
    """The command."""
    run_command("evaluate", run)


def run(config: DictConfig) -> None:
    """Scores as configured.

    Raises:
        InputError: something that the user gave can't be used; nothing is written then.
    """
    settings = read_settings(config, EvaluateSettings)
    _check(settings)
    device = build.choose_device(settings.device)
    system = choose_system(settings, device) if settings.predictions is None else None
    judge = build.build_judge(settings.pose, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    metrics = build_scores(settings, judge, len(data.pictures(settings.split)))
    pictures = data.pictures(settings.split)
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
    write_results(settings, plain_config(config), system, scores, summary, inspections, data, device, judge, bounds)
    with timed(seconds, "drawing"):
        draw_ranked(system.complete, pictures, settings.sheet, scores, device, settings.run_dir)
        write_examples(system.complete, pictures, settings.examples, device, settings.run_dir)
    print(score_table(summary, settings.sheet.rank_by, None if judge is None else judge.describe(), bounds))
    print(f"\n{describe_seconds(seconds, summary['n'])}")
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


def _check(settings: EvaluateSettings) -> None:
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


def choose_system(settings: EvaluateSettings, device: torch.device) -> System:
    """What `checkpoint` or `model` names.

    Raises:
        InputError: neither or both are given, or it can't be used.
    """
    inpainter, checkpoint = choose_inpainter(settings.model, settings.checkpoint, device)
    complete = completing(inpainter, device, settings.seed)
    if checkpoint is None:
        chosen = HydraConfig.get().runtime.choices.get("model") or "system"
        return System(settings.name or str(chosen), complete, {"model": settings.model})
    origin = {
        "model": checkpoint.config["model"],
        "checkpoint": {"file": checkpoint.path.name, "sha256": checkpoint.sha256(), "phase": checkpoint.phase},
        "batchnorm": checkpoint.config["batchnorm"]["statistics"],
    }
    return System(settings.name or f"{checkpoint.config['name']}, {checkpoint.phase}", complete, origin)


def read_predictions(settings: EvaluateSettings, data: InpaintingData) -> System:
    """The completed pictures of a folder.

    Raises:
        InputError: they don't fit the split.
    """
    folder = str(settings.predictions)
    predictions = Predictions(folder, data.pictures(settings.split).records, data.records(settings.split))
    name = Path(folder).resolve().name
    return System(settings.name or name, predictions, {"predictions": name})


def choose_inpainter(
    model: Mapping[str, Any] | None, checkpoint: str | None, device: torch.device
) -> tuple[Inpainter, Checkpoint | None]:
    """The system that `checkpoint` or `model` names, ready on a device.

    Raises:
        InputError: neither or both are given, or the model is a network without weights.
    """
    if (model is None) == (checkpoint is None):
        message = "give either checkpoint=PATH or model=black|mean|telea|navier_stokes" + (
            ", not both" if model else ""
        )
        raise InputError(message)
    if checkpoint is not None:
        read = read_checkpoint(checkpoint)
        return load_generator(read).to(device), read
    inpainter = build.build_inpainter(model or {})
    if isinstance(inpainter, nn.Module):
        message = "model: a network without weights scores nothing worth reading; give checkpoint=PATH of a trained one"
        raise InputError(message)
    return inpainter, None


def score_split(
    inpainter: Inpainter,
    data: InpaintingData,
    split: str,
    metric_blocks: Mapping[str, Any],
    device: torch.device | str,
    seed: int,
    pictures: Sequence[str] = PICTURES,
    regions: Sequence[str] = REGIONS,
) -> Scores:
    """Every metric, of every picture and region asked for, over a split."""
    metrics = build.build_metrics(metric_blocks, pictures, regions)
    batches = data.split_dataloader(split)
    complete = completing(inpainter, device, seed)
    return score(complete, batches, metrics, device, seed=seed, title=f"Scoring {split}")


def compare_with_mean(
    scores: Scores, data: InpaintingData, split: str, metric_blocks: Mapping[str, Any], seed: int
) -> tuple[str, dict[str, Any]]:
    """What the scores mean beside filling every hole with the picture's mean colour, in words and in numbers."""
    every = torch.ones(len(scores.names), dtype=torch.bool)
    ours = scores.over(every)
    mean = score_split(MeanFill(), data, split, metric_blocks, "cpu", seed, ("composite",)).over(every)
    error, baseline = ours["mse_composite_hole"]["value"], mean["mse_composite_hole"]["value"]
    better = f"{1 - error / baseline:.0%} less error than" if error < baseline else "no better than"
    words = (
        f"On the {len(scores.names)} pictures of the {split} split the mean squared error inside the holes is "
        f"{error:.4f} (lower is better). Filling each hole with the picture's mean colour gives {baseline:.4f}: "
        f"the network makes {better} that.\nPSNR of the whole picture: {ours['psnr_composite_whole']['value']:.2f} dB, "
        f"mean colour {mean['psnr_composite_whole']['value']:.2f} dB (higher is better)."
    )
    return words, mean


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
