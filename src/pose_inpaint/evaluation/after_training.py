"""Test scores at the end of a training, compared with those of a mean fill."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra import compose
from torchmetrics import Metric

from pose_inpaint.build import build_metrics
from pose_inpaint.config.schema import EvaluateSettings, TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.evaluation.candidates import choose_method
from pose_inpaint.evaluation.checks import build_scores
from pose_inpaint.evaluation.evaluate import evaluate
from pose_inpaint.evaluation.evaluator import inpaint_fn, score
from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.score_names import ScoreName
from pose_inpaint.models.classical.constant_fill import MeanFill
from pose_inpaint.tracking.files import CHECKPOINTS, HISTORY, LAST, SAMPLES, SCORES
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase
from pose_inpaint.training.setup import Training


@dataclass(frozen=True)
class FinalScoring:
    """How a training will be scored on the test split.

    Attributes:
        settings: Settings of `evaluate`, without the checkpoint.
        metrics: Metrics by full name.
    """

    settings: EvaluateSettings
    metrics: Mapping[str, Metric]


def prepare_scoring(training: Training) -> FinalScoring | None:
    """Check and build the scoring that follows a training, before the training begins.

    Returns:
        None if the test split is not to be scored.

    Raises:
        InputError: A score can't be built, or needs more images.
    """
    if not training.is_scored:
        return None
    settings = evaluate_settings(training.settings)
    with torch.random.fork_rng(devices=[]):  # networks of metrics draw weights; the training's must stay the same
        return FinalScoring(settings, build_scores(settings, None, len(training.data.images(settings.split))))


def score_test(training: Training, scoring: FinalScoring, best: BestOfPhase) -> ScoresFile:
    """Score a checkpoint on the test split with the defaults of `evaluate` and print a summary.

    Args:
        training: Finished training.
        scoring: What `prepare_scoring` returned.
        best: Callback that kept the best checkpoint of the last phase.
    """
    folder, data = training.folder, training.data
    device = training.trainer.strategy.root_device
    last = folder / CHECKPOINTS / LAST
    # Only the name of the best checkpoint is used, since the folder may have been moved.
    is_best = training.settings.test.checkpoint == "best" and best.best_model_path
    checkpoint = folder / CHECKPOINTS / Path(best.best_model_path).name if is_best else last
    settings = dataclasses.replace(scoring.settings, checkpoint=str(checkpoint))
    mean_fill = score_mean_fill(data, settings)
    method, inspection = choose_method(settings, device), training.inspections[-1]
    file = evaluate(settings, method, data, inspection, device, scoring.metrics, mean_fill=mean_fill)
    print(
        f"\nDone: {folder}\n{compare_with_mean_fill(file, mean_fill)}\nLook at {folder / SAMPLES}: input, the "
        f"network's raw output, the composite, the original.\nAll scores are in {folder / SCORES}, the losses in "
        f"{folder / HISTORY}, the weights in {checkpoint}."
    )
    return file


def evaluate_settings(settings: TrainSettings) -> EvaluateSettings:
    """Default settings of `evaluate` with the data, masks, metrics and seed of a training."""
    defaults = read_settings(compose("evaluate", [f"seed={settings.seed}"]), EvaluateSettings)
    return dataclasses.replace(
        defaults,
        name=settings.name,
        split="test",
        data=settings.data,
        mask=settings.mask,
        metric=settings.metric,
        run_dir=settings.run_dir,
    )


def score_mean_fill(data: InpaintingData, settings: EvaluateSettings) -> dict[str, Estimate]:
    """Score composites whose holes are filled with the mean colour of the image."""
    metrics = build_metrics(settings.metric, ("composite",), settings.regions)
    inpaint = inpaint_fn(MeanFill(), "cpu", settings.seed)
    scores = score(inpaint, data.split_dataloader(settings.split), metrics, seed=settings.seed, title="Mean fill")
    return scores.over(torch.ones(len(scores.names), dtype=torch.bool))


def compare_with_mean_fill(file: ScoresFile, mean_fill: Mapping[str, Estimate]) -> str:
    """Describe the scores relative to the mean fill."""
    mse, psnr = "mse_composite_hole", "psnr_composite_whole"
    values = {name: [_value(scores, name) for scores in (file.scores, mean_fill)] for name in (mse, psnr)}
    error, baseline = values[mse]
    verdict = ""
    if error is not None and baseline is not None:
        better = f"{1 - error / baseline:.0%} less error than" if error < baseline else "no better than"
        verdict = f": the network makes {better} that"
    shown = [ScoreName.parse(name).format(value) for name, pair in values.items() for value in pair]
    return (
        f"On the {file.n} images of the {file.split} split the mean squared error inside the holes is {shown[0]} "
        f"(lower is better). Filling each hole with the image's mean colour gives {shown[1]}{verdict}.\n"
        f"PSNR of the whole image: {shown[2]} dB, mean colour {shown[3]} dB (higher is better)."
    )


def _value(scores: Mapping[str, Estimate], name: str) -> float | None:
    """Value of a score; None if it was not taken or is not finite."""
    estimate = scores.get(name)
    return None if estimate is None else estimate["value"]
