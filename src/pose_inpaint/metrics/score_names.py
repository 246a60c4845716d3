"""Names of scores: METRIC_IMAGE_REGION, such as `mse_composite_hole`, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.bootstrap import Estimate

LABELS = {
    "mse": "MSE", "psnr": "PSNR (dB)", "psnr_pooled": "pooled PSNR (dB)", "ssim": "SSIM", "dssim": "DSSIM",
    "wnjd": "WNJD", "pck": "PCK@0.2", "found": "people found", "lpips": "LPIPS",
    "lpips_vgg_unverified": "LPIPS-VGG (unverified copy)", "fid": "FID", "kid": "KID",
    "frechet_vgg16": "Fréchet, VGG16",
}  # fmt: skip
HIGHER_IS_BETTER = ("psnr", "ssim", "pck", "found")
"""Beginnings of the metrics of which a higher value is better, such as `psnr_pooled`."""
DECIMALS = {"psnr": 2, "psnr_pooled": 2, "fid": 2, "frechet_vgg16": 1}
MORE = 2  # decimals beyond those that tell rows of a table apart; values equal to all of them are ties
Intervals = Literal["full", "half", "none"]
"""How a 95 % interval is printed: with both ends, as ± half its width, or not at all."""
POSE_METRICS = ("wnjd", "pck", "found")
POSE_REGIONS = {"whole": "all joints", "hole": "masked joints", "known": "known joints"}
WNJD_IN_WORDS = (
    "WNJD: distance of the joints found in the restored image from the reference's, over the longer side of the "
    "person's box, at most 1, and 1 for a person not found, weighted by the reference's confidence."
)


@dataclass(frozen=True)
class ScoreName:
    """The name of a score.

    Attributes:
        metric: Key of `metric` or `pose.scores` in the configuration; it may contain underscores.
        image: Image that is scored: raw, composite or coarse.
        region: Pixels, or joints, that count: whole, hole or known.
    """

    metric: str
    image: str
    region: str

    @classmethod
    def parse(cls, name: str) -> ScoreName:
        """Split a full name; raise `InputError` if it does not have three parts."""
        parts = name.rsplit("_", 2)
        if len(parts) != 3:
            raise InputError(f"{name}: not the name of a score; give METRIC_IMAGE_REGION, such as mse_composite_hole")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.metric}_{self.image}_{self.region}"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is better."""
        return self.metric.startswith(HIGHER_IS_BETTER)

    @property
    def is_pose(self) -> bool:
        """Whether the score compares poses."""
        return self.metric in POSE_METRICS

    @property
    def parts(self) -> tuple[str, str, str]:
        """Metric, image and region for people."""
        region = POSE_REGIONS[self.region] if self.is_pose else self.region
        return LABELS.get(self.metric, self.metric), self.image, region

    @property
    def label(self) -> str:
        """Name for people: metric, image, region."""
        return ", ".join(self.parts)

    def decimals(self, values: Iterable[float | None] = ()) -> int:
        """Number of decimals that the metric deserves, and up to `MORE` beyond it to tell unequal values apart."""
        least = DECIMALS.get(self.metric, 4)
        kept = [value for value in values if value is not None]
        counts = [len({f"{value:.{decimals}f}" for value in kept}) for decimals in range(least, least + MORE + 1)]
        return least + counts.index(max(counts))

    def format(self, value: float | None, decimals: int | None = None) -> str:
        """A value with as many digits as the metric deserves, or `decimals`; a dash for a missing one."""
        if value is None or value != value:
            return "-"
        return f"{value:z.{self.decimals() if decimals is None else decimals}f}"  # z: no minus before zeros

    def format_estimate(self, estimate: Estimate, decimals: int | None = None, intervals: Intervals = "full") -> str:
        """Value and, where there is one, 95 % interval."""
        value, low, high = (self.format(estimate[key], decimals) for key in ("value", "low", "high"))
        if estimate["low"] is None or estimate["high"] is None or intervals == "none":
            return value
        if intervals == "half":
            return f"{value} ± {self.format((estimate['high'] - estimate['low']) / 2, decimals)}"
        return f"{value} [{low}, {high}]"


def label(name: str) -> str:
    """Label of a score by its full name."""
    return ScoreName.parse(name).label


def higher_is_better(name: str) -> bool:
    """Whether a higher value of a score is better, by its full name."""
    return ScoreName.parse(name).higher_is_better
