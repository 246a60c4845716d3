"""Scores of one method on one split, over all images and by group."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.cost import Meter
from pose_inpaint.evaluation.scores_file import Group, Sources
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.metrics.score_names import higher_is_better
from pose_inpaint.types import Source


def source_of(name: str) -> str:
    """Source of an image: the leading letters of its name, up to a digit, "-" or "_"; else "other"."""
    match = re.match(r"[A-Za-z]+(?=[-_0-9])", name.rsplit("/", 1)[-1])
    return match.group().lower() if match else "other"


def mask_ratio_groups(mask_ratios: Float[Tensor, " n"], edges: Sequence[float]) -> dict[str, Bool[Tensor, " n"]]:
    """Images in each mask-ratio group, as booleans by a label such as "10-20%"."""
    return {
        f"{low:.0%}-{high:.0%}".replace("%", "", 1): (mask_ratios >= low) & ((mask_ratios < high) | (high >= 1))
        for low, high in pairwise(edges)
    }


@dataclass(frozen=True)
class Scores:
    """Scores of one method on one split."""

    names: list[str]  # names of the images, in order
    mask_ratios: Float[Tensor, " n"]  # mask ratio of each image, (n,)
    metrics: Mapping[str, ImageMetric]  # metrics with the images' values, by full name METRIC_IMAGE_REGION
    masks_sha256: str  # digest of the masks, in order
    of_sets: Mapping[str, float] = field(default_factory=dict)  # scores of the whole set of images (FID), by full name
    seconds: Mapping[str, float] = field(default_factory=dict)  # of reading, inpainting and each scoring
    seed: int = 0  # random seed of the intervals
    meter: Meter = field(default_factory=lambda: Meter("cpu"))
    sources: Mapping[str, Source] = field(default_factory=dict)  # by image, if pixels are copied

    def over(self, chosen: Tensor | slice = slice(None)) -> dict[str, Estimate]:
        """Every score with its 95 % interval, over all images or those that a boolean or index tensor selects."""
        return {name: m.estimate(m.per_image()[chosen], self.seed) for name, m in self.metrics.items()}

    def summary(self, edges: Sequence[float]) -> dict[str, Any]:
        """Scores over all images, by mask ratio and by source: fields of `ScoresFile`.

        `edges` are ascending mask ratios in [0, 1]; a group includes its lower edge but not its upper, except 1.
        """
        copied = {name: asdict(source) for name, source in self.sources.items()}
        near = sum(source.near_duplicate for source in self.sources.values())
        sources = [source_of(name) for name in self.names]
        ratios = mask_ratio_groups(self.mask_ratios, edges)
        origins = {name: torch.tensor([source == name for source in sources]) for name in sorted(set(sources))}
        return {
            "n": len(self.names),
            "masks_sha256": self.masks_sha256,
            "mean_mask_ratio": float(self.mask_ratios.mean()),
            "scores": self.over(),
            "of_sets": dict(self.of_sets),
            "by_mask_ratio": self._groups(ratios),
            "by_source": self._groups(origins),
            "sources": Sources(near, copied) if copied else None,
        }

    def _groups(self, chosen: Mapping[str, Tensor]) -> dict[str, Group]:
        return {
            label: Group(int(c.sum()), float(self.mask_ratios[c].mean()), self.over(c))
            for label, c in chosen.items()
            if c.any()
        }

    def values(self) -> dict[str, Float[Tensor, " n"]]:
        """Values per image of each score that has them, (n,)."""
        values = {name: metric.per_image() for name, metric in self.metrics.items()}
        return {name: value for name, value in values.items() if value.ndim == 1}

    def ranked(self, name: str) -> list[int]:
        """Indices of the images from best to worst by a score; raise `InputError` if none has a value per image."""
        values = self.values()
        if name not in values:
            raise InputError(f"contact_sheet.rank_by={name}: not one of {', '.join(values)}")
        worst = -torch.inf if higher_is_better(name) else torch.inf
        indices: list[int] = values[name].nan_to_num(worst, torch.inf, -torch.inf).argsort(stable=True).tolist()
        return indices[::-1] if higher_is_better(name) else indices

    def write_csv(self, path: Path) -> None:
        """Write one row per image: name, source, mask ratio and every score that has a value per image."""
        columns = {name: value.tolist() for name, value in self.values().items()}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "source", "mask_ratio", *columns])
            for index, (name, mask_ratio) in enumerate(zip(self.names, self.mask_ratios.tolist(), strict=True)):
                values = (f"{column[index]:.10g}" for column in columns.values())
                writer.writerow([name, source_of(name), f"{mask_ratio:.6f}", *values])
