"""Scores any way of completing pictures: the one evaluator of the package."""

from __future__ import annotations

import csv
import hashlib
import re
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
from torchmetrics import Metric
from tqdm import tqdm

from pose_inpaint.cost import Meter
from pose_inpaint.errors import InputError
from pose_inpaint.metrics.per_picture import PictureMetric, collect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float
    from torch import Tensor

    from pose_inpaint.types import Batch, Completion, Inpainter, Source

    Complete = Callable[[Batch], Completion]
    """A batch (on its device) to its completion: an `Inpainter`, or pictures read from files."""

HIGHER_IS_BETTER = ("psnr", "ssim", "pck", "found")


def higher_is_better(name: str) -> bool:
    """Which way a score is better, by its full name METRIC_PICTURE_REGION."""
    return name.startswith(HIGHER_IS_BETTER)


def source_of(name: str) -> str:
    """Where a picture comes from: the letters that its name begins with, before a mark or a digit; "other" for none."""
    found = re.match(r"[A-Za-z]+(?=[-_0-9])", name.rsplit("/", 1)[-1])
    return found.group().lower() if found else "other"


def share_groups(hidden: Float[Tensor, " n"], edges: Sequence[float]) -> dict[str, Bool[Tensor, " n"]]:
    """Which pictures are in each group of hidden share, by a label such as "10-20%"."""
    return {
        f"{low:.0%}-{high:.0%}".replace("%", "", 1): (hidden >= low) & ((hidden < high) | (high >= 1))
        for low, high in pairwise(edges)
    }


@dataclass(frozen=True)
class Scores:
    """What scoring showed.

    Attributes:
        names: the pictures, in order.
        hidden: the hidden share of each, (n,).
        metrics: the scores by full name METRIC_PICTURE_REGION, each holding the pictures' values.
        masks_sha256: digest of the masks, in the pictures' order.
        of_sets: scores that a set of pictures has and a picture has not (FID), by full name.
        seconds: by stage: reading, completing, and each stage of scoring.
        seed: of the intervals.
        meter: that measured the completing.
        sources: of systems that copy from other pictures, where each picture's pixels came from, by its name.
    """

    names: list[str]
    hidden: Float[Tensor, " n"]
    metrics: Mapping[str, PictureMetric]
    masks_sha256: str
    of_sets: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    meter: Meter = field(default_factory=lambda: Meter("cpu"))
    sources: Mapping[str, Source] = field(default_factory=dict)

    def over(self, chosen: Tensor) -> dict[str, dict[str, Any]]:
        """Every score over the pictures that a boolean or index tensor chooses, with its 95 % interval."""
        return {name: m.estimate(m.per_picture()[chosen], self.seed) for name, m in self.metrics.items()}

    def summary(self, edges: Sequence[float]) -> dict[str, Any]:
        """Scores over all pictures, by hidden share and by source, as plain data.

        Args:
            edges: rising shares; a group holds shares from one edge up to, but without, the next.
        """
        every = torch.ones(len(self.names), dtype=torch.bool)
        sources = [source_of(name) for name in self.names]
        shares = share_groups(self.hidden, edges)
        origins = {name: torch.tensor([source == name for source in sources]) for name in sorted(set(sources))}
        return {
            "n": len(self.names),
            "masks_sha256": self.masks_sha256,
            "mean_hidden_share": float(self.hidden.mean()),
            "scores": self.over(every),
            "of_sets": dict(self.of_sets),
            "by_hidden_share": self._groups(shares),
            "by_source": self._groups(origins),
            "seconds": dict(self.seconds),
            **({"sources": summarise_sources(self.sources)} if self.sources else {}),
        }

    def _groups(self, chosen: Mapping[str, Tensor]) -> dict[str, Any]:
        return {
            label: {"n": int(c.sum()), "mean_hidden_share": float(self.hidden[c].mean()), "scores": self.over(c)}
            for label, c in chosen.items()
            if c.any()
        }

    def values(self) -> dict[str, Float[Tensor, " n"]]:
        """The pictures' values of each score that has one a picture."""
        found = {name: metric.per_picture() for name, metric in self.metrics.items()}
        return {name: value for name, value in found.items() if value.ndim == 1}

    def ranked(self, name: str) -> list[int]:
        """Places of the pictures from the best to the worst by a score.

        Raises:
            InputError: the score was not taken, or has no single value a picture.
        """
        values = self.values()
        if name not in values:
            message = f"sheet.rank_by={name}: not one of {', '.join(values)}"
            raise InputError(message)
        worst = -torch.inf if higher_is_better(name) else torch.inf
        places: list[int] = values[name].nan_to_num(worst, torch.inf, -torch.inf).argsort(stable=True).tolist()
        return places[::-1] if higher_is_better(name) else places

    def write_csv(self, path: Path) -> None:
        """A row a picture: name, source, hidden share, each score that has a value of its own for it."""
        columns = {name: value.tolist() for name, value in self.values().items()}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "source", "hidden_share", *columns])
            shares = self.hidden.tolist()
            for place, name in enumerate(self.names):
                values = (f"{column[place]:.10g}" for column in columns.values())
                writer.writerow([name, source_of(name), f"{shares[place]:.6f}", *values])


def summarise_sources(sources: Mapping[str, Source]) -> dict[str, Any]:
    """How many pictures were completed from a near-duplicate, and each picture's source, as plain data."""
    return {
        "near_duplicates": sum(source.near_duplicate for source in sources.values()),
        "of_pictures": {name: asdict(source) for name, source in sources.items()},
    }


def completing(inpainter: Inpainter, device: torch.device | str, seed: int) -> Complete:
    """A system as `score` calls it; those that draw do so from `seed`."""
    generator = torch.Generator(device).manual_seed(seed)
    return lambda batch: inpainter(batch.known, batch.mask, generator=generator)


def score(
    complete: Complete,
    batches: Iterable[Batch],
    metrics: Mapping[str, Metric],
    device: torch.device | str = "cpu",
    *,
    seed: int = 0,
    title: str = "Scoring",
) -> Scores:
    """Completes every picture and takes its scores.

    Args:
        complete: the system; a network must be on `device` and in evaluation mode.
        batches: the pictures, with their originals.
        metrics: the scores to take, by name: `PictureMetric`, or any `Metric` with `update(batch, completion)`.
        device: where to compute.
        seed: of the intervals.
        title: of the progress bar.

    Raises:
        InputError: a picture has no original, or a completion is not finite.
    """
    of_pictures = {name: metric for name, metric in metrics.items() if isinstance(metric, PictureMetric)}
    doubles = "cpu" if torch.device(device).type == "mps" else device  # Apple's GPUs have no double precision
    of_sets = {name: metric.to(doubles) for name, metric in metrics.items() if name not in of_pictures}
    stages: dict[str, dict[str, PictureMetric]] = defaultdict(dict)
    for name, metric in of_pictures.items():
        stages[metric.stage][name] = metric
    together = {stage: collect(members).to(device) for stage, members in stages.items()}
    names: list[str] = []
    hidden: list[Tensor] = []
    masks = hashlib.sha256()
    seconds: dict[str, float] = defaultdict(float)
    meter = Meter(device)
    sources: dict[str, Source] = {}
    with torch.no_grad():
        for batch in _reading(tqdm(batches, desc=title, unit="batch", leave=False, disable=None), seconds):
            _demand_originals(batch)
            masks.update(batch.mask.to(torch.uint8).numpy().tobytes())
            names += batch.names
            hidden.append(batch.mask.mean((1, 2, 3)))
            with timed(seconds, "completing"):
                here = batch.to(device)
                with meter.measuring(len(batch.names)):
                    completion = complete(here)
            _demand_finite(completion, batch)
            if completion.sources is not None:
                sources |= {name: best for name, (best, *_) in zip(batch.names, completion.sources, strict=True)}
            for stage, members in together.items():
                with timed(seconds, stage):
                    members.update(here, completion)
            for distance in of_sets.values():
                with timed(seconds, "distribution"):
                    distance.update(here, completion)
    taken = {name: cast("PictureMetric", together[of_pictures[name].stage][name].cpu()) for name in of_pictures}
    found = {name: float(metric.compute()) for name, metric in of_sets.items()}
    return Scores(names, torch.cat(hidden), taken, masks.hexdigest(), found, dict(seconds), seed, meter, sources)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the time that a block takes to a stage."""
    started = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0) + time.perf_counter() - started


def _reading(batches: Iterable[Batch], seconds: dict[str, float]) -> Iterator[Batch]:
    """The batches, with the time that getting each takes."""
    source = iter(batches)
    while True:
        with timed(seconds, "reading"):
            batch = next(source, None)
        if batch is None:
            return
        yield batch


def _demand_originals(batch: Batch) -> None:
    if batch.target.isnan().any():
        message = f"{batch.names[0]}: no original to score against; complete blind pictures with predict"
        raise InputError(message)


def _demand_finite(completion: Completion, batch: Batch) -> None:
    if not completion.raw.isfinite().all():
        bad = [n for n, raw in zip(batch.names, completion.raw, strict=True) if not raw.isfinite().all()]
        message = f"{bad[0]}: its completion has values that are not finite; the system is broken"
        raise InputError(message)
