"""Paired comparison of methods, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from jaxtyping import Float
from torch import Tensor

from pose_inpaint.evaluation.scored_run import ScoredRun
from pose_inpaint.metrics.bootstrap import Estimate, estimate_mean
from pose_inpaint.metrics.score_names import higher_is_better


@dataclass(frozen=True)
class Difference:
    """Mean difference between two methods' scores over images, first minus second, with its 95 % interval."""

    score: str  # name of the score, METRIC_IMAGE_REGION
    first: int  # index of the first method
    second: int  # index of the second method
    estimate: Estimate  # estimate over the images that have a value for both methods

    @property
    def better(self) -> int | None:
        """Index of the better method; None if the interval contains zero."""
        low, high = self.estimate["low"], self.estimate["high"]
        if low is not None and low > 0:
            return self.first if higher_is_better(self.score) else self.second
        if high is not None and high < 0:
            return self.second if higher_is_better(self.score) else self.first
        return None


def paired_difference(a: Float[Tensor, " n"], b: Float[Tensor, " n"], seed: int) -> Estimate:
    """Mean of a - b with its interval, over the images that have a value in both."""
    return estimate_mean(a - b, seed)


def compare(runs: Sequence[ScoredRun], scores: Sequence[str], seed: int) -> list[Difference]:
    """Compare every pair of methods in every score that both have per image."""
    return [
        Difference(score, i, j, paired_difference(runs[i].values[score], runs[j].values[score], seed))
        for score in scores
        for i, j in combinations(range(len(runs)), 2)
        if score in runs[i].values and score in runs[j].values
    ]


def best_method(score: str, differences: Sequence[Difference], count: int) -> int | None:
    """Index of the method that beats every other method with the score, or None."""
    pairs = [pair for pair in differences if pair.score == score]
    compared = {index for pair in pairs for index in (pair.first, pair.second)}
    for index in range(count):
        own = [pair for pair in pairs if index in (pair.first, pair.second)]
        if index in compared and len(own) == len(compared) - 1 and all(pair.better == index for pair in own):
            return index
    return None
