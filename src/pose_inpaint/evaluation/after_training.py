"""Test scores at the end of a training, compared with those of a mean fill."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from hydra import compose

from pose_inpaint.build import build_metrics
from pose_inpaint.config.schema import EvaluateSettings, TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.evaluation.candidates import choose_method
from pose_inpaint.evaluation.evaluate import evaluate
from pose_inpaint.evaluation.evaluator import inpaint_fn, score
from pose_inpaint.evaluation.scores_file import ScoresFile
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.models.classical.constant_fill import MeanFill
from pose_inpaint.tracking.files import CHECKPOINTS, HISTORY, LAST, SAMPLES, SCORES
from pose_inpaint.training.callbacks.checkpoints import BestOfPhase
from pose_inpaint.training.setup import Training


def score_test(training: Training, best: BestOfPhase) -> ScoresFile:
    """Score a checkpoint on the test split with the defaults of `evaluate` and print a summary.

    Args:
        training: Finished training.
        best: Callback that kept the best checkpoint of the last phase.
    """
    settings, folder, data = training.settings, training.folder, training.data
    device = training.trainer.strategy.root_device
    last = folder / CHECKPOINTS / LAST
    # Only the name of the best checkpoint is used, since the folder may have been moved.
    is_best = settings.test.checkpoint == "best" and best.best_model_path
    checkpoint = folder / CHECKPOINTS / Path(best.best_model_path).name if is_best else last
    scoring = evaluate_settings(settings, str(checkpoint))
    mean_fill = score_mean_fill(data, scoring)
    file = evaluate(scoring, choose_method(scoring, device), data, training.inspections[-1], device, None, mean_fill)
    print(
        f"\nDone: {folder}\n{compare_with_mean_fill(file, mean_fill)}\nLook at {folder / SAMPLES}: input, the "
        f"network's raw output, the composite, the original.\nAll scores are in {folder / SCORES}, the losses in "
        f"{folder / HISTORY}, the weights in {checkpoint}."
    )
    return file


def evaluate_settings(settings: TrainSettings, checkpoint: str) -> EvaluateSettings:
    """Default settings of `evaluate` with the data, masks, metrics and seed of a training."""
    defaults = read_settings(compose("evaluate", [f"seed={settings.seed}"]), EvaluateSettings)
    return dataclasses.replace(
        defaults,
        name=settings.name,
        checkpoint=checkpoint,
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
    error, baseline = (scores["mse_composite_hole"]["value"] or 0.0 for scores in (file.scores, mean_fill))
    psnr, mean_psnr = (scores["psnr_composite_whole"]["value"] or 0.0 for scores in (file.scores, mean_fill))
    better = f"{1 - error / baseline:.0%} less error than" if error < baseline else "no better than"
    return (
        f"On the {file.n} images of the {file.split} split the mean squared error inside the holes is {error:.4f} "
        f"(lower is better). Filling each hole with the image's mean colour gives {baseline:.4f}: the network makes "
        f"{better} that.\nPSNR of the whole image: {psnr:.2f} dB, mean colour {mean_psnr:.2f} dB (higher is better)."
    )
