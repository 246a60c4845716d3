"""Scores of the pose in restored images: WNJD, PCK, people found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.pose.comparison import masked_joints

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.pose.comparison import PoseJudge
    from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, Region


class PoseMetric(ImageMetric):
    """A score of poses. Regions choose joints: whole: all; hole: those whose place was inside a hole; known: others.

    Images whose original shows nobody have no value (NaN). They are left out of the mean and counted.

    Args:
        image: whether the raw or the composite image is scored.
        region: which joints count.
        judge: the estimator and the reference.
    """

    stage = "pose"
    column: int

    def __init__(self, image: ImageKind = "composite", region: Region = "whole", *, judge: PoseJudge) -> None:
        super().__init__(image, region)
        self.judge = judge

    @property
    def measured_by(self) -> PoseJudge:
        """The judge."""
        return self.judge

    def update(self, batch: Batch, output: InpaintingOutput) -> None:
        """Adds a batch."""
        reference = self.judge.reference(batch)
        masked = masked_joints(reference.joints, batch.mask)
        prediction = output.image(self.image, batch)
        samples = [self.judge.compare(prediction[:, s], reference, masked) for s in range(prediction.shape[1])]
        self.values.append(torch.stack(samples).mean(0))

    def convert(self, measured: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """This score's part of what was measured."""
        return measured[:, self.column]


class WNJD(PoseMetric):
    """Weighted normalised joint distance, [0, 1], lower is better.

    For image i with reference joints r and weights w (the reference's confidences, or 1 where annotated),

        WNJD_i = sum_j w_j min(1, |p_j - r_j| / s) / sum_j w_j,

    where p are the joints found in the restored image and s is the longer side of the box around r; the score is the
    mean over images. A person not found in the restored image counts as one scale for every joint. The reference is
    found in the original by the same estimator, or annotated, and the restored image is looked at where the person
    was in the original. This is our definition: the challenge's (ChaLearn LAP Inpainting 2018) was not published.
    """

    column = 0


class PCK(PoseMetric):
    """Share of joints within a fifth of the person's scale of the reference's, [0, 1], higher is better (PCK@0.2).

    Each image's own share, averaged over images; scale and reference are WNJD's. All joints of a person not found
    are wrong.
    """

    column = 1


class PeopleFound(PoseMetric):
    """Share of the originals' people that are found in the restored images too, [0, 1], higher is better."""

    column = 2
