"""Scores that keep each image's own value, so that any group of images can be scored from one pass."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, get_args

import torch
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat

from pose_inpaint.metrics.bootstrap import Estimate, estimate, ratio
from pose_inpaint.types import ImageKind, Region, check_choice, region_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.types import Batch, InpaintingOutput


REGIONS: tuple[Region, ...] = get_args(Region)


class ImageMetric(Metric):
    """A score of images that is reduced from a value of each.

    A subclass gives `measure`, for all regions at once so that scores that differ in the region alone, or in `convert`,
    share the work; `convert` where the value printed is a function of the one measured; `terms` and `finish` where the
    score is not the plain mean. Of several samples of an image the mean of what was measured counts.

    Args:
        image: whether the raw or the composite image is scored.
        region: which pixels count.
    """

    full_state_update = False
    values: list[Tensor]
    stage = "distortion"
    """Under which name its time is printed."""
    regions: tuple[Region, ...] = REGIONS
    """The regions that it has values for."""

    def __init__(self, image: ImageKind = "composite", region: Region = "whole") -> None:
        super().__init__()
        check_choice("metric: image", image, ImageKind)
        check_choice("metric: region", region, Region)
        self.image, self.region = image, region
        self.add_state("values", default=[], dist_reduce_fx="cat")

    @property
    def measured_by(self) -> object:
        """What `measure` depends on beside the class; scores that share it and the image are measured once."""
        return None

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3 ..."]:
        """What is measured of each image in its three regions: whole, hole, known.

        Args:
            prediction: in [0, 1], double precision.
            target: in [0, 1], double precision.
            mask: 1 = masked.
        """
        raise NotImplementedError

    def convert(self, measured: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """From what was measured to what is printed."""
        return measured

    def terms(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """What each image adds to the sums that the score is made of.

        Here its value and a 1, for a mean; images without a value (NaN) add nothing.
        """
        return torch.stack([values.nan_to_num(0, torch.inf, -torch.inf), (~values.isnan()).to(values)], dim=1)

    def finish(self, sums: Float[Tensor, "... k"]) -> Float[Tensor, ...]:
        """From the sums to the score."""
        return ratio(sums)

    def estimate(self, values: Float[Tensor, "n ..."], seed: int) -> Estimate:
        """The score of the images that have these values, with its 95 % interval.

        Returns:
            `value`, `low`, `high`, and `n`, how many images have a value.
        """
        valued = ~values.isnan() if values.ndim == 1 else ~values.isnan().any(1)
        return estimate(self.terms(values[valued]), self.finish, seed)

    def update(self, batch: Batch, output: InpaintingOutput) -> None:
        """Adds a batch."""
        prediction = output.image(self.image, batch)
        samples = prediction.shape[1]
        measured = self.measure(
            to_unit(prediction.flatten(0, 1)),
            to_unit(batch.target.repeat_interleave(samples, dim=0)),
            to_double(batch.mask.repeat_interleave(samples, dim=0)),
        )
        self.values.append(measured.reshape(-1, samples, *measured.shape[1:]).mean(1))

    def per_image(self) -> Float[Tensor, " n"]:
        """The values of all images so far, in their order."""
        measured = dim_zero_cat(self.values) if len(self.values) else torch.zeros(0, 3, dtype=torch.float64)
        return self.convert(measured[:, REGIONS.index(self.region)])

    def compute(self) -> Float[Tensor, ""]:
        """The score over all images so far."""
        return self.finish(self.terms(self.per_image()).sum(0))


def to_unit(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """From [-1, 1] to [0, 1] in double precision; values outside are clipped, as saving an image would."""
    return ((to_double(images) + 1) / 2).clamp(0, 1)


def to_double(values: Float[Tensor, " ..."]) -> Float[Tensor, " ..."]:
    """In double precision, which Apple's GPUs don't have: from there on the CPU."""
    return values.cpu().double() if values.device.type == "mps" else values.double()


def region_weights(mask: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """1 where a pixel counts, for each region: whole, hole, known."""
    return torch.cat([region_weight(mask, region) for region in REGIONS], dim=1)


def collect(metrics: Mapping[str, ImageMetric]) -> MetricCollection:
    """The metrics as one; those that measure the same of an image (MSE and PSNR, SSIM and DSSIM) do it once."""
    groups = defaultdict(list)
    for name, metric in metrics.items():
        groups[type(metric).measure, metric.image, metric.measured_by].append(name)
    return MetricCollection(dict(metrics), compute_groups=list(groups.values()))
