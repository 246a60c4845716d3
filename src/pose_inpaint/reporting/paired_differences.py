"""Which of several methods is better, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch

from pose_inpaint.evaluation.scores import mask_ratio_groups
from pose_inpaint.metrics.bootstrap import estimate_mean
from pose_inpaint.metrics.score_names import higher_is_better

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.evaluation.scored_run import ScoredRun
    from pose_inpaint.metrics.bootstrap import Estimate


@dataclass(frozen=True)
class Difference:
    """The mean over images of one method's score less another's, with its 95 % interval.

    Attributes:
        score: METRIC_IMAGE_REGION.
        first: place of the method whose score is reduced.
        second: place of the method that is taken off.
        estimate: `value`, `low`, `high`, and `n` images that both have a value for.
    """

    score: str
    first: int
    second: int
    estimate: Estimate

    @property
    def better(self) -> int | None:
        """Place of the better method; None where the interval holds zero."""
        low, high = self.estimate["low"], self.estimate["high"]
        if low is not None and low > 0:
            return self.first if higher_is_better(self.score) else self.second
        if high is not None and high < 0:
            return self.second if higher_is_better(self.score) else self.first
        return None


def paired_difference(a: Float[Tensor, " n"], b: Float[Tensor, " n"], seed: int) -> Estimate:
    """Mean of a - b over the images that both have a value for, with its interval."""
    return estimate_mean(a - b, seed)


def compare(runs: Sequence[ScoredRun], scores: Sequence[str], seed: int) -> list[Difference]:
    """Every pair of methods in every score that both have image by image."""
    return [
        Difference(score, i, j, paired_difference(runs[i].values[score], runs[j].values[score], seed))
        for score in scores
        for i, j in combinations(range(len(runs)), 2)
        if score in runs[i].values and score in runs[j].values
    ]


def best_method(score: str, differences: Sequence[Difference], count: int) -> int | None:
    """The method that is better than each of the others that has the score, or None where there is none such."""
    ours = [each for each in differences if each.score == score]
    compared = {place for each in ours for place in (each.first, each.second)}
    for place in range(count):
        duels = [each for each in ours if place in (each.first, each.second)]
        if place in compared and len(duels) == len(compared) - 1 and all(each.better == place for each in duels):
            return place
    return None


def by_mask_ratio(run: ScoredRun, score: str, edges: Sequence[float], seed: int) -> list[tuple[float, Estimate]]:
    """Mean mask ratio and score of each group of mask ratio that has images."""
    groups = []
    for group in mask_ratio_groups(run.mask_ratios, edges).values():
        chosen = group & ~torch.isnan(run.values[score])
        if chosen.any():
            groups.append((float(run.mask_ratios[chosen].mean()), estimate_mean(run.values[score][chosen], seed)))
    return groups
