"""What all terms of the generator's loss share, and their weighted sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.types import Batch, InpaintingOutput


def check_weight(key: str, value: float) -> float:
    """Returns `value` if it can weigh a loss: finite and not negative; raises `InputError` otherwise."""
    if not math.isfinite(value) or value < 0:
        raise InputError(f"{key}={value}: must be a finite number of at least 0")
    return value


class LossTerm(nn.Module):
    """One term of the generator's loss: `forward` gives its plain value, `weight` what it counts in the sum."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = check_weight(f"loss: {type(self).__name__}'s weight", weight)

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """The term's value before weighting, a mean over the batch."""
        raise NotImplementedError


class GeneratorLoss(nn.Module):
    """The weighted sum of the terms that a phase asks for.

    Args:
        terms: the terms by their keys in `loss.generator`.
    """

    def __init__(self, terms: Mapping[str, LossTerm]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)

    def forward(
        self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None, names: Iterable[str]
    ) -> dict[str, Float[Tensor, ""]]:
        """Plain values of the terms called `names`, and their weighted sum as "total".

        A name that no term carries is one whose weight is 0 (see `build.generator_loss`): it adds nothing.
        """
        values: dict[str, Tensor] = {}
        total = batch.target.new_zeros(())
        for name in names:
            if name in self.terms:
                term = cast("LossTerm", self.terms[name])
                values[name] = term(batch, output, discriminator)
                total = total + term.weight * values[name]
        return {**values, "total": total}


def all_finite(values: Mapping[str, Tensor]) -> bool:
    """Whether every value is a finite number (one synchronisation with the device)."""
    return bool(torch.isfinite(torch.stack([value.detach().float() for value in values.values()])).all())
