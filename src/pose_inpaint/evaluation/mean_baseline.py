"""The scores of a split, and what they mean beside the simplest fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint import build
from pose_inpaint.evaluation.evaluator import inpaint_fn, score
from pose_inpaint.evaluation.scores import Scores
from pose_inpaint.models.classical.constant_fill import MeanFill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.types import Inpainter

IMAGES = ("composite", "raw")
REGIONS = ("whole", "hole")


def score_split(
    inpainter: Inpainter,
    data: InpaintingData,
    split: str,
    metric_blocks: Mapping[str, Any],
    device: torch.device | str,
    seed: int,
    images: Sequence[str] = IMAGES,
    regions: Sequence[str] = REGIONS,
) -> Scores:
    """Every metric, of every image and region asked for, over a split."""
    metrics = build.build_metrics(metric_blocks, images, regions)
    batches = data.split_dataloader(split)
    inpaint = inpaint_fn(inpainter, device, seed)
    return score(inpaint, batches, metrics, device, seed=seed, title=f"Scoring {split}")


def compare_with_mean(
    scores: Scores, data: InpaintingData, split: str, metric_blocks: Mapping[str, Any], seed: int
) -> tuple[str, dict[str, Any]]:
    """What the scores mean beside filling every hole with the image's mean colour, in words and in numbers."""
    every = torch.ones(len(scores.names), dtype=torch.bool)
    ours = scores.over(every)
    mean = score_split(MeanFill(), data, split, metric_blocks, "cpu", seed, ("composite",)).over(every)
    error, baseline = ours["mse_composite_hole"]["value"], mean["mse_composite_hole"]["value"]
    better = f"{1 - error / baseline:.0%} less error than" if error < baseline else "no better than"
    words = (
        f"On the {len(scores.names)} images of the {split} split the mean squared error inside the holes is "
        f"{error:.4f} (lower is better). Filling each hole with the image's mean colour gives {baseline:.4f}: "
        f"the network makes {better} that.\nPSNR of the whole image: {ours['psnr_composite_whole']['value']:.2f} dB, "
        f"mean colour {mean['psnr_composite_whole']['value']:.2f} dB (higher is better)."
    )
    return words, mean
