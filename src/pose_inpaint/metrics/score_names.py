"""What scores are called, how many digits they get, and which way they are better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


LABELS = {
    "mse": "MSE", "psnr": "PSNR (dB)", "psnr_pooled": "pooled PSNR (dB)", "ssim": "SSIM", "dssim": "DSSIM",
    "wnjd": "WNJD", "pck": "PCK@0.2", "found": "people found", "lpips": "LPIPS", "fid": "FID", "kid": "KID",
    "frechet_vgg16": "Fréchet, VGG16",
}  # fmt: skip


POSE_REGIONS = {"whole": "all joints", "hole": "masked joints", "known": "known joints"}


POSE = ("wnjd", "pck", "found")


def label(score: str) -> str:
    """A score's name for people: metric, image, region."""
    metric, image, region = score.rsplit("_", 2)
    place = POSE_REGIONS[region] if metric in POSE else region
    return f"{LABELS.get(metric, metric)}, {image}, {place}"


HIGHER_IS_BETTER = ("psnr", "ssim", "pck", "found")


def higher_is_better(name: str) -> bool:
    """Which way a score is better, by its full name METRIC_IMAGE_REGION."""
    return name.startswith(HIGHER_IS_BETTER)


DECIMALS = {"psnr": 2, "psnr_pooled": 2, "fid": 2, "frechet_vgg16": 1}


WNJD_IN_WORDS = (
    "WNJD: distance of the joints found in the restored image from the reference's, over the longer side of the "
    "person's box, at most 1, and 1 for a person not found, weighted by the reference's confidence."
)


def format_number(name: str, value: float | None) -> str:
    """A score's value with as many digits as its kind deserves; a dash where there is none."""
    if value is None or value != value:
        return "-"
    return f"{value:.{DECIMALS.get(name.rsplit('_', 2)[0], 4)}f}"


def format_estimate(name: str, estimate: Mapping[str, Any]) -> str:
    """Value and 95 % interval."""
    value, low, high = (format_number(name, estimate[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
