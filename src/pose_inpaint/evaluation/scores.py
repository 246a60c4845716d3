"""Scores of one model on one split, over all images and by group."""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.cost import Meter
from pose_inpaint.evaluation.scores_file import Group, Sources
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.metrics.score_names import higher_is_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float
    from torch import Tensor

    from pose_inpaint.metrics.bootstrap import Estimate
    from pose_inpaint.types import Source


def source_of(name: str) -> str:
    """Where an image comes from: the letters that its name begins with, before a mark or a digit; "other" for none."""
    found = re.match(r"[A-Za-z]+(?=[-_0-9])", name.rsplit("/", 1)[-1])
    return found.group().lower() if found else "other"


def mask_ratio_groups(mask_ratios: Float[Tensor, " n"], edges: Sequence[float]) -> dict[str, Bool[Tensor, " n"]]:
    """Which images are in each group of mask ratio, by a label such as "10-20%"."""
    return {
        f"{low:.0%}-{high:.0%}".replace("%", "", 1): (mask_ratios >= low) & ((mask_ratios < high) | (high >= 1))
        for low, high in pairwise(edges)
    }


@dataclass(frozen=True)
class Scores:
    """What scoring showed.

    Attributes:
        names: the images, in order.
        mask_ratios: the mask ratio of each, (n,).
        metrics: the scores by full name METRIC_IMAGE_REGION, each holding the images' values.
        masks_sha256: digest of the masks, in the images' order.
        of_sets: scores that a set of images has and an image has not (FID), by full name.
        seconds: by stage: reading, inpainting, and each stage of scoring.
        seed: of the intervals.
        meter: that measured the inpainting.
        sources: of methods that copy from other images, where each image's pixels came from, by its name.
    """

    names: list[str]
    mask_ratios: Float[Tensor, " n"]
    metrics: Mapping[str, ImageMetric]
    masks_sha256: str
    of_sets: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    meter: Meter = field(default_factory=lambda: Meter("cpu"))
    sources: Mapping[str, Source] = field(default_factory=dict)

    def over(self, chosen: Tensor) -> dict[str, Estimate]:
        """Every score over the images that a boolean or index tensor chooses, with its 95 % interval."""
        return {name: m.estimate(m.per_image()[chosen], self.seed) for name, m in self.metrics.items()}

    def summary(self, edges: Sequence[float]) -> dict[str, Any]:
        """Scores over all images, by mask ratio and by source: fields of `ScoresFile`.

        Args:
            edges: rising shares; a group holds shares from one edge up to, but without, the next.
        """
        every = torch.ones(len(self.names), dtype=torch.bool)
        sources = [source_of(name) for name in self.names]
        shares = mask_ratio_groups(self.mask_ratios, edges)
        origins = {name: torch.tensor([source == name for source in sources]) for name in sorted(set(sources))}
        return {
            "n": len(self.names),
            "masks_sha256": self.masks_sha256,
            "mean_mask_ratio": float(self.mask_ratios.mean()),
            "scores": self.over(every),
            "of_sets": dict(self.of_sets),
            "by_mask_ratio": self._groups(shares),
            "by_source": self._groups(origins),
            "sources": summarise_sources(self.sources) if self.sources else None,
        }

    def _groups(self, chosen: Mapping[str, Tensor]) -> dict[str, Group]:
        return {
            label: Group(int(c.sum()), float(self.mask_ratios[c].mean()), self.over(c))
            for label, c in chosen.items()
            if c.any()
        }

    def values(self) -> dict[str, Float[Tensor, " n"]]:
        """The images' values of each score that has one an image."""
        found = {name: metric.per_image() for name, metric in self.metrics.items()}
        return {name: value for name, value in found.items() if value.ndim == 1}

    def ranked(self, name: str) -> list[int]:
        """Places of the images from the best to the worst by a score.

        Raises:
            InputError: the score was not taken, or has no single value an image.
        """
        values = self.values()
        if name not in values:
            raise InputError(f"contact_sheet.rank_by={name}: not one of {', '.join(values)}")
        worst = -torch.inf if higher_is_better(name) else torch.inf
        places: list[int] = values[name].nan_to_num(worst, torch.inf, -torch.inf).argsort(stable=True).tolist()
        return places[::-1] if higher_is_better(name) else places

    def write_csv(self, path: Path) -> None:
        """A row an image: name, source, mask ratio, each score that has a value of its own for it."""
        columns = {name: value.tolist() for name, value in self.values().items()}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "source", "mask_ratio", *columns])
            shares = self.mask_ratios.tolist()
            for place, name in enumerate(self.names):
                values = (f"{column[place]:.10g}" for column in columns.values())
                writer.writerow([name, source_of(name), f"{shares[place]:.6f}", *values])


def summarise_sources(sources: Mapping[str, Source]) -> Sources:
    """Number of images that were inpainted from a near-duplicate, and the source of each image."""
    near = sum(source.near_duplicate for source in sources.values())
    return Sources(near, {name: asdict(source) for name, source in sources.items()})
