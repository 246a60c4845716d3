"""Score one method on one split and write the results, for `evaluate` and the end of `train`."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torchmetrics import Metric

from pose_inpaint.config.block_schema import JOINTS
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.dataset import ImageDataset
from pose_inpaint.data.inspection import Inspection
from pose_inpaint.evaluation.candidates import Method
from pose_inpaint.evaluation.checks import find_originals
from pose_inpaint.evaluation.cost import describe_cost
from pose_inpaint.evaluation.evaluator import score, timed
from pose_inpaint.evaluation.examples import draw_ranked, write_examples
from pose_inpaint.evaluation.pose_bounds import find_bounds
from pose_inpaint.evaluation.scores_file import Bound, Dataset, PoseRecord, ScoresFile
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.pose.comparison import PoseJudge
from pose_inpaint.tracking.files import SCORES_CSV
from pose_inpaint.tracking.provenance import write_records


def evaluate(
    settings: EvaluateSettings,
    method: Method,
    data: InpaintingData,
    inspection: Inspection,
    device: torch.device,
    metrics: Mapping[str, Metric],
    judge: PoseJudge | None = None,
    records: tuple[dict[str, Any], dict[str, Any]] | None = None,
    mean_fill: Mapping[str, Estimate] | None = None,
) -> ScoresFile:
    """Score a method and write `scores.json`, `scores.csv`, the contact sheet and the examples.

    Args:
        settings: Settings of `evaluate`.
        method: Method to score; a network must be on `device` and in evaluation mode.
        data: Images and masks.
        inspection: Inspection of the split.
        device: Device to compute on.
        metrics: Metrics of `build_scores`, by full name.
        judge: Comparison of poses, or None to score no poses.
        records: Content of `config.yaml` and `run.json` to write with the scores; None if they have been written.
        mean_fill: Scores of a mean fill to write with the method's.

    Raises:
        InputError: An image has no original, or a score can't be computed.
    """
    images, batches = data.images(settings.split), data.split_dataloader(settings.split)
    annotation = None if judge is None else _joints_digest(judge, images)
    seconds: dict[str, float] = {}
    if judge is not None:
        with timed(seconds, "poses of originals"):
            find_originals(judge, batches)
    scores = score(method.inpaint, batches, metrics, device, seed=settings.seed, title=f"Scoring {settings.split}")
    seconds |= scores.seconds
    bounds: dict[str, Bound] = {}
    if judge is not None:
        identity = [inspection.digest, scores.masks_sha256, *scores.names, settings.data.size, annotation]
        joints = JOINTS[settings.pose.joints]
        with timed(seconds, "pose bounds"):
            bounds = find_bounds(judge, settings.pose, joints, batches, settings.seed, identity)
    folder = Path(settings.run_dir)
    root = settings.data.root
    file = ScoresFile(
        name=method.name,
        split=settings.split,
        data=Dataset(Path(root).resolve().name if root else "mannequins", inspection.digest),
        seed=settings.seed,
        metric=settings.metric,
        mean_fill=mean_fill,
        pose=None if judge is None else PoseRecord(
            judge.estimator.name, judge.kind, joints_sha256=annotation, **bounds
        ),
        seconds=seconds,
        cost=describe_cost(
            scores.meter, method.network, settings.data.size, settings.data.batch_size,
            inpainter=method.inpainter, reads_files=settings.predictions is not None,
        ),
        **method.origin,
        **scores.summary(settings.mask_ratio_edges),
    )  # fmt: skip
    if records is not None:
        write_records(folder, *records)
    file.write(folder)
    scores.write_csv(folder / SCORES_CSV)
    with timed(seconds, "drawing"):  # the scores are saved first
        draw_ranked(method.inpaint, images, settings.contact_sheet, scores, device, settings.run_dir)
        write_examples(method.inpaint, images, settings.examples, device, settings.run_dir)
    return file


def _joints_digest(judge: PoseJudge, images: ImageDataset) -> str | None:
    """SHA-256 of the images' annotated joints, if poses are compared with them."""
    if judge.kind != "annotated":
        return None
    return hashlib.sha256(repr([(record.name, record.joints) for record in images.records]).encode()).hexdigest()
