"""What a training ends with: the test split's scores, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.evaluation.cost import describe_cost
from pose_inpaint.evaluation.evaluator import inpaint_fn
from pose_inpaint.evaluation.examples import write_examples
from pose_inpaint.evaluation.mean_baseline import compare_with_mean, score_split
from pose_inpaint.evaluation.scored_run import describe_scores
from pose_inpaint.tracking.checkpoint_file import CHECKPOINTS, LAST, SCORES
from pose_inpaint.tracking.provenance import write_json
from pose_inpaint.training.checkpoint import load_generator, read_checkpoint

if TYPE_CHECKING:
    import torch

    from pose_inpaint.config.schema import TrainSettings
    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.training.callbacks.checkpoints import BestOfPhase

EXAMPLES = 8  # test images kept in full, as evaluate keeps them


def score_test(
    settings: TrainSettings,
    data: InpaintingData,
    inspection: Inspection,
    folder: Path,
    best: BestOfPhase | None,
    device: torch.device,
) -> dict[str, Any]:
    """Scores a checkpoint and a mean fill on the test split, and says in words what came out.

    Args:
        settings: of the training.
        data: its data.
        inspection: of the test split.
        folder: of the run.
        best: that kept the checkpoint to score, or None for the last one.
        device: where to compute.

    Returns:
        what `scores.json` holds.
    """
    last = folder / CHECKPOINTS / LAST
    # By its name, for the folder may have been moved since.
    path = folder / CHECKPOINTS / Path(best.best_model_path).name if best and best.best_model_path else last
    checkpoint = read_checkpoint(path)
    generator = load_generator(checkpoint).to(device)
    scores = score_split(generator, data, "test", settings.metric, device, settings.seed)
    summary = scores.summary((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0))
    summary["cost"] = describe_cost(scores.meter, generator, settings.data.size, settings.data.batch_size)
    words, mean = compare_with_mean(scores, data, "test", settings.metric, settings.seed)
    origin = {
        "model": settings.model,
        "checkpoint": {"file": path.name, "sha256": checkpoint.sha256(), "phase": checkpoint.phase},
        "batchnorm": settings.batchnorm.statistics,
        "metric": settings.metric,
        "mean_fill": mean,
    }
    record = describe_scores(
        settings.name, "test", settings.data.root, inspection, settings.seed, origin, None, summary
    )
    write_json(folder / SCORES, record)
    scores.write_csv(folder / "scores.csv")
    inpaint = inpaint_fn(generator, device, settings.seed)
    write_examples(inpaint, data.images("test"), EXAMPLES, device, str(folder))
    print(
        f"\nDone: {folder}\n{words}\nLook at {folder / 'samples.png'}: input, the network's raw output, the "
        f"composite, the original.\nAll scores are in {folder / SCORES}, the losses in "
        f"{folder / 'metrics.csv'}, the weights in {checkpoint.path}."
    )
    return record
