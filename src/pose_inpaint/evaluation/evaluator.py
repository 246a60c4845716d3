"""Scores any way of inpainting images: the one evaluator of the package."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor
from torchmetrics import Metric
from tqdm import tqdm

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.cost import Meter
from pose_inpaint.evaluation.scores import Scores
from pose_inpaint.metrics.per_image import ImageMetric, collect
from pose_inpaint.types import Batch, Inpainter, InpaintingOutput, Source

InpaintFn = Callable[[Batch], InpaintingOutput]
"""A batch (on its device) to its output: an `Inpainter`, or images read from files."""


def inpaint_fn(inpainter: Inpainter, device: torch.device | str, seed: int) -> InpaintFn:
    """A method as `score` calls it; methods that draw random numbers do so from `seed`."""
    generator = torch.Generator(device).manual_seed(seed)
    return lambda batch: inpainter(batch.known, batch.mask, generator=generator)


def score(
    inpaint: InpaintFn,
    batches: Iterable[Batch],
    metrics: Mapping[str, Metric],
    device: torch.device | str = "cpu",
    *,
    seed: int = 0,
    title: str = "Scoring",
) -> Scores:
    """Inpaint every image and take its scores.

    Args:
        inpaint: Method to score; a network must be on `device` and in evaluation mode.
        batches: Images with their originals.
        metrics: Metrics by name: `ImageMetric`, or any `Metric` with `update(batch, output)`.
        device: Device to compute on.
        seed: Random seed of the intervals.
        title: Title of the progress bar.

    Raises:
        InputError: An image has no original, or an output is not finite.
    """
    of_images = {name: metric for name, metric in metrics.items() if isinstance(metric, ImageMetric)}
    doubles = "cpu" if torch.device(device).type == "mps" else device  # Apple's GPUs have no double precision
    of_sets = {name: metric.to(doubles) for name, metric in metrics.items() if name not in of_images}
    stages: dict[str, dict[str, ImageMetric]] = defaultdict(dict)
    for name, metric in of_images.items():
        stages[metric.stage][name] = metric
    together = {stage: collect(members).to(device) for stage, members in stages.items()}
    names: list[str] = []
    mask_ratios: list[Tensor] = []
    masks = hashlib.sha256()
    seconds: dict[str, float] = {"reading": 0.0, "copying": 0.0, "inpainting": 0.0}
    meter = Meter(device)
    sources: dict[str, Source] = {}
    with torch.no_grad():
        for batch in _reading(tqdm(batches, desc=title, unit="batch", leave=False, disable=None), seconds):
            _check_originals(batch)
            masks.update(batch.mask.to(torch.uint8).numpy().tobytes())
            names += batch.names
            mask_ratios.append(batch.mask.mean((1, 2, 3)))
            with timed(seconds, "copying"):
                here = batch.to(device)
            with meter.measuring(len(batch.names)):
                output = inpaint(here)
            _check_finite(output, batch)
            if output.sources is not None:
                sources |= {name: best for name, (best, *_) in zip(batch.names, output.sources, strict=True)}
            for stage, members in together.items():
                with timed(seconds, stage):
                    members.update(here, output)
            for distance in of_sets.values():
                with timed(seconds, "distribution"):
                    distance.update(here, output)
    seconds["inpainting"] = meter.seconds
    taken = {name: cast("ImageMetric", together[of_images[name].stage][name].cpu()) for name in of_images}
    found = {name: float(metric.compute()) for name, metric in of_sets.items()}
    return Scores(names, torch.cat(mask_ratios), taken, masks.hexdigest(), found, dict(seconds), seed, meter, sources)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time that a block takes to a stage."""
    started = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0) + time.perf_counter() - started


def _reading(batches: Iterable[Batch], seconds: dict[str, float]) -> Iterator[Batch]:
    """Yield the batches, and add the time that getting each takes."""
    source = iter(batches)
    while True:
        with timed(seconds, "reading"):
            batch = next(source, None)
        if batch is None:
            return
        yield batch


def _check_originals(batch: Batch) -> None:
    if batch.target.isnan().any():
        raise InputError(f"{batch.names[0]}: no original to score against; inpaint blind images with predict")


def _check_finite(output: InpaintingOutput, batch: Batch) -> None:
    if not output.raw.isfinite().all():
        bad = [n for n, raw in zip(batch.names, output.raw, strict=True) if not raw.isfinite().all()]
        raise InputError(f"{bad[0]}: its output has NaN or infinite values; use another model or checkpoint")
