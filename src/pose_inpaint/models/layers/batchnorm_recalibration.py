"""Batch normalisation's running statistics, taken anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pose_inpaint.types import Batch


class _OnBatches(nn.Module):
    """Runs a network on a `Batch`, in the form that `update_bn` calls."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> None:
        self.network(batch.known, batch.mask)


def recalibrate(network: nn.Module, batches: Iterable[Batch], device: torch.device | str) -> None:
    """Replaces the running statistics of `network` by their plain averages over `batches`, in place.

    Statistics gathered while the weights move lag behind them: scores with them swing widely between epochs, and an
    exponential average of the weights has none of its own. Averaging over fixed weights is the "precise BN" of Wu and
    Johnson 2021 (https://arxiv.org/abs/2105.07576).

    Args:
        network: an `Inpainter` network; keeps its training or evaluation mode.
        batches: training images; a few hundred will do.
        device: where `network` is.
    """
    training = network.training
    with torch.no_grad():
        update_bn(batches, _OnBatches(network), torch.device(device))
    network.train(training)
