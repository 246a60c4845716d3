"""Learning-rate schedules: factors of the learning rate as pure functions of the progress of training."""

import math
from collections.abc import Callable
from dataclasses import dataclass

ONE_CYCLE_RISE = 0.3
"""Share of a one-cycle schedule in which the rate rises (Smith and Topin 2018; PyTorch's default)."""
ONE_CYCLE_START = 1 / 25
"""Factor at the start of a one-cycle schedule (PyTorch's default)."""


def _one_cycle(progress: float) -> float:
    if progress < ONE_CYCLE_RISE:
        return 1 - (1 - ONE_CYCLE_START) * SHAPES["cosine"](progress / ONE_CYCLE_RISE)
    return SHAPES["cosine"]((progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))


SHAPES: dict[str, Callable[[float], float]] = {
    "none": lambda _: 1.0,
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "one_cycle": _one_cycle,
}
"""Factor by progress in [0, 1]; all but "none" end at 0 (Li, Yumer and Ramanan 2020, "Budgeted Training")."""


@dataclass(frozen=True)
class LearningRate:
    """Learning-rate schedule of one optimizer.

    Attributes:
        shape: Key of `SHAPES`.
        warmup: Number of batches at the start of the schedule in which the rate also rises linearly from 0.
    """

    shape: str = "none"
    warmup: int = 0

    def factor(self, progress: float, batch: int) -> float:
        """Return the factor of the learning rate.

        Args:
            progress: Share of the schedule that is done; values outside [0, 1] count as its ends.
            batch: Index of the batch, counted from 0 at the start of the schedule.
        """
        warmup = min(1.0, (batch + 1) / self.warmup) if self.warmup else 1.0
        return warmup * SHAPES[self.shape](min(max(progress, 0.0), 1.0))
