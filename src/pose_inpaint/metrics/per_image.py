"""Base class of metrics that store a value per image, so that any group of images can be scored from one pass."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat

from pose_inpaint.metrics.bootstrap import Estimate, estimate, ratio
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, Region, check_choice, region_weight

Shared = TypeVar("Shared")
REGIONS: tuple[Region, ...] = get_args(Region)


class ImageMetric(Metric):
    """Metric that is reduced from one value per image.

    Subclasses define `measure`, for all regions at once, so that metrics that differ only in the region or in `convert`
    share the computation; `convert` if the reported value is a function of the measured one; `terms` and `finish` if
    the score is not the mean. Measured values of several samples of an image are averaged.

    Args:
        image: Image to score, "raw" or "composite".
        region: Pixels that count: "whole", "hole" or "known".
    """

    full_state_update = False
    values: list[Tensor]
    stage = "distortion"  # name under which the computing time is reported
    regions: tuple[Region, ...] = REGIONS  # regions with values

    def __init__(self, image: ImageKind = "composite", region: Region = "whole") -> None:
        super().__init__()
        check_choice("metric: image", image, ImageKind)
        check_choice("metric: region", region, Region)
        self.image, self.region = image, region
        self.shared: dict[Hashable, Any] | None = None
        self.add_state("values", default=[], dist_reduce_fx="cat")

    @property
    def measured_by(self) -> object:
        """Key of what `measure` depends on besides class and image; metrics with equal keys are measured once."""
        return None

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3 ..."]:
        """Measure images in [0, 1], double precision, in the regions whole, hole and known; in masks, 1 = masked."""
        raise NotImplementedError

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Convert measured values to reported values."""
        return measured

    def terms(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Contribution of each image to the sums of the score: by default its value and 1, or zeros for NaN."""
        return torch.stack([values.nan_to_num(0, torch.inf, -torch.inf), (~values.isnan()).to(values)], dim=1)

    def finish(self, sums: Float[Tensor, "... k"]) -> Float[Tensor, "..."]:
        """Compute the score from the sums, by default their ratio."""
        return ratio(sums)

    def estimate(self, values: Float[Tensor, "n ..."], seed: int) -> Estimate:
        """Estimate the score of a group of images from their values, with its 95 % interval and number of values."""
        valid = ~values.isnan() if values.ndim == 1 else ~values.isnan().any(1)
        return estimate(self.terms(values[valid]), self.finish, seed)

    def once(self, key: Hashable, compute: Callable[[], Shared]) -> Shared:
        """Compute what depends on the batch and its output alone, once for all metrics of a collection."""
        if self.shared is None:
            return compute()
        if key not in self.shared:
            self.shared[key] = compute()
        value: Shared = self.shared[key]
        return value

    def region_weights(self, mask: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Weights of the regions whole, hole and known: 1 for pixels inside, 0 elsewhere."""
        return self.once("regions", lambda: torch.cat([region_weight(mask, region) for region in REGIONS], dim=1))

    def update(self, batch: Batch, output: InpaintingOutput) -> None:
        """Add a batch."""
        samples = output.raw.shape[1]
        measured = self.measure(
            self.once(self.image, lambda: to_unit(output.image(self.image, batch).flatten(0, 1))),
            self.once("target", lambda: to_unit(batch.target.repeat_interleave(samples, dim=0))),
            self.once("mask", lambda: to_double(batch.mask.repeat_interleave(samples, dim=0))),
        )
        self.values.append(measured.reshape(-1, samples, *measured.shape[1:]).mean(1))

    def per_image(self) -> Float[Tensor, " n"]:
        """Values of all images so far, in order."""
        measured = dim_zero_cat(self.values) if len(self.values) else torch.zeros(0, 3, dtype=torch.float64)
        return self.convert(measured[:, REGIONS.index(self.region)])

    def compute(self) -> Float[Tensor, ""]:
        """Score over all images so far."""
        return self.finish(self.terms(self.per_image()).sum(0))


def to_unit(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Convert images from [-1, 1] to [0, 1] in double precision, clipping as saving an image would."""
    return ((to_double(images) + 1) / 2).clamp(0, 1)


def to_double(values: Float[Tensor, " ..."]) -> Float[Tensor, " ..."]:
    """Convert to double precision, on the CPU if the device is an Apple GPU, which lacks it."""
    return values.cpu().double() if values.device.type == "mps" else values.double()


class Collection(MetricCollection):
    """Metrics that share what they compute from a batch, as long as `update` takes."""

    def update(self, batch: Batch, output: InpaintingOutput) -> None:  # type: ignore[override]
        """Add a batch."""
        members = [cast("ImageMetric", metric) for metric in self.children()]
        shared: dict[Hashable, Any] = {}
        try:
            for metric in members:
                metric.shared = shared
            super().update(batch, output)
        finally:
            for metric in members:
                metric.shared = None


def collect(metrics: Mapping[str, ImageMetric]) -> MetricCollection:
    """Collect metrics so that those with the same measurement (MSE and PSNR, SSIM and DSSIM) compute it once."""
    groups = defaultdict(list)
    for name, metric in metrics.items():
        groups[type(metric).measure, metric.image, metric.measured_by].append(name)
    return Collection(dict(metrics), compute_groups=list(groups.values()))
