"""Scores any `Inpainter` over pictures: the one evaluator of the package."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
from tqdm import tqdm

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.per_picture import collect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.metrics import PictureMetric
    from pose_inpaint.types import Batch, Inpainter


@dataclass(frozen=True)
class Scores:
    """What scoring showed.

    Attributes:
        names: the pictures, in order.
        hidden: the hidden share of each, (n,).
        metrics: the scores by full name METRIC_PICTURE_REGION, each holding the pictures' values.
        masks_sha256: digest of the masks, in the pictures' order.
    """

    names: list[str]
    hidden: Float[Tensor, " n"]
    metrics: Mapping[str, PictureMetric]
    masks_sha256: str

    def over(self, chosen: Tensor) -> dict[str, float]:
        """Every score over the pictures that a boolean or index tensor chooses."""
        return {name: float(metric.reduce(metric.per_picture()[chosen])) for name, metric in self.metrics.items()}

    def summary(self, edges: Sequence[float]) -> dict[str, Any]:
        """Scores over all pictures and by hidden share, as plain data.

        Args:
            edges: rising shares; a group holds shares from one edge up to, but without, the next.
        """
        groups = {}
        for low, high in pairwise(edges):
            chosen = (self.hidden >= low) & ((self.hidden < high) | (high >= 1))
            if chosen.any():
                label = f"{low:.0%}-{high:.0%}".replace("%", "", 1)
                groups[label] = {"n": int(chosen.sum()), "scores": self.over(chosen)}
        every = torch.ones(len(self.names), dtype=torch.bool)
        return {
            "n": len(self.names),
            "masks_sha256": self.masks_sha256,
            "mean_hidden_share": float(self.hidden.mean()),
            "scores": self.over(every),
            "by_hidden_share": groups,
        }

    def ranked(self, name: str) -> list[int]:
        """Places of the pictures from the best to the worst by a score.

        Raises:
            InputError: the score was not taken, or has no single value a picture.
        """
        if name not in self.metrics or self.metrics[name].per_picture().ndim != 1:
            usable = [key for key, metric in self.metrics.items() if metric.per_picture().ndim == 1]
            message = f"sheet.rank_by={name}: not one of {', '.join(usable)}"
            raise InputError(message)
        values = self.metrics[name].per_picture()
        rising = values.nan_to_num(torch.inf).argsort(stable=True).tolist()
        return rising[::-1] if name.startswith(("psnr", "ssim")) else rising

    def write_csv(self, path: Path) -> None:
        """A row a picture: name, hidden share, each score that has a value of its own for it."""
        columns = {name: m.per_picture().tolist() for name, m in self.metrics.items() if m.per_picture().ndim == 1}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "hidden_share", *columns])
            shares = self.hidden.tolist()
            for place, name in enumerate(self.names):
                writer.writerow([name, f"{shares[place]:.6f}", *(f"{c[place]:.8g}" for c in columns.values())])


def score(
    inpainter: Inpainter,
    batches: Iterable[Batch],
    metrics: Mapping[str, PictureMetric],
    device: torch.device | str = "cpu",
    *,
    seed: int = 0,
    title: str = "Scoring",
) -> Scores:
    """Completes every picture and takes its scores.

    Args:
        inpainter: the system; a network must be on `device` and in evaluation mode.
        batches: the pictures, with their originals.
        metrics: the scores to take, by name.
        device: where to compute.
        seed: of systems that draw.
        title: of the progress bar.

    Raises:
        InputError: a picture has no original, or a completion is not finite.
    """
    generator = torch.Generator(device).manual_seed(seed)
    together = collect(metrics).to(device)
    names: list[str] = []
    hidden: list[Tensor] = []
    masks = hashlib.sha256()
    with torch.no_grad():
        for batch in tqdm(batches, desc=title, unit="batch", leave=False):
            if batch.target.isnan().any():
                message = f"{batch.names[0]}: no original to score against; complete blind pictures with predict"
                raise InputError(message)
            masks.update(batch.mask.to(torch.uint8).numpy().tobytes())
            here = batch.to(device)
            completion = inpainter(here.known, here.mask, generator=generator)
            if not completion.raw.isfinite().all():
                bad = [n for n, raw in zip(batch.names, completion.raw, strict=True) if not raw.isfinite().all()]
                message = f"{bad[0]}: its completion has values that are not finite; the system is broken"
                raise InputError(message)
            together.update(here, completion)
            names += batch.names
            hidden.append(batch.mask.mean((1, 2, 3)))
    taken = {name: cast("PictureMetric", together[name].cpu()) for name in metrics}
    return Scores(names, torch.cat(hidden), taken, masks.hexdigest())
