"""Base class of the generator's loss terms, and their weighted sum."""

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.config.block_schema import check_weight
from pose_inpaint.types import Batch, InpaintingOutput


class LossTerm(nn.Module):
    """Term of the generator's loss: `forward` returns its unweighted value, `weight` its weight in the sum."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = check_weight(f"loss: {type(self).__name__}'s weight", weight)

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Unweighted value, a mean over the batch."""
        raise NotImplementedError


class GeneratorLoss(nn.Module):
    """Weighted sum of the terms of a training phase.

    Args:
        terms: Terms by their keys in `loss.generator`.
    """

    def __init__(self, terms: Mapping[str, LossTerm]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)

    def forward(
        self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None, names: Iterable[str]
    ) -> dict[str, Float[Tensor, ""]]:
        """Unweighted values of the terms in `names`, and their weighted sum as "total".

        Names without a term are skipped: `training.factory.build_generator_loss` leaves out terms of weight 0.
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
    """Whether every value is finite (one synchronisation with the device)."""
    return bool(torch.isfinite(torch.stack([value.detach().float() for value in values.values()])).all())
