"""Scores of the pose in restored images: WNJD, PCK and people found."""

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.pose.comparison import PoseJudge, masked_joints
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, Region


class PoseMetric(ImageMetric):
    """Score of poses over the joints of a region: "whole": all joints; "hole": those in a hole; "known": the others.

    Images without a person in the original have no value (NaN) and are left out of the mean.

    Args:
        image: Image to score, "raw" or "composite".
        region: Joints that count.
        judge: Pose estimator and reference.
    """

    stage = "pose"
    column: int

    def __init__(self, image: ImageKind = "composite", region: Region = "whole", *, judge: PoseJudge) -> None:
        super().__init__(image, region)
        self.judge = judge

    @property
    def measured_by(self) -> PoseJudge:
        """Pose estimator and reference."""
        return self.judge

    def update(self, batch: Batch, output: InpaintingOutput) -> None:
        """Add a batch."""
        reference = self.judge.reference(batch)
        masked = masked_joints(reference.joints, batch.mask)
        prediction = output.image(self.image, batch)
        samples = [self.judge.compare(prediction[:, s], reference, masked) for s in range(prediction.shape[1])]
        self.values.append(torch.stack(samples).mean(0))

    def convert(self, measured: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Select this score's column of the measured values."""
        return measured[:, self.column]


class WNJD(PoseMetric):
    """Weighted normalised joint distance, in [0, 1]; lower is better.

    For image i with reference joints r and weights w (the reference's confidences, or 1 if annotated),

        WNJD_i = sum_j w_j min(1, |p_j - r_j| / s) / sum_j w_j,

    where p are the joints estimated in the restored image and s is the longer side of the box around r; the score is
    the mean over images. For a person not found in the restored image, every joint counts as one scale. The reference
    is annotated, or estimated in the original by the same estimator, which then looks for the person at the same
    position. This is our definition: the challenge's (ChaLearn LAP Inpainting 2018) was not published.
    """

    column = 0


class PCK(PoseMetric):
    """Share of joints within a fifth of the person's scale of the reference (PCK@0.2), in [0, 1]; higher is better.

    Shares per image are averaged over images; scale and reference are those of `WNJD`. All joints of a person not found
    are wrong.
    """

    column = 1


class PeopleFound(PoseMetric):
    """Share of people in the originals that are also found in the restored images, in [0, 1]; higher is better."""

    column = 2
