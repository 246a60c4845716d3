"""Recalibration of batch-norm statistics."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from pose_inpaint.types import Batch


class _OnBatches(nn.Module):
    """Adapter that lets `update_bn` call a network on a `Batch`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> None:
        self.network(batch.known, batch.mask)


def recalibrate(network: nn.Module, batches: Iterable[Batch], device: torch.device | str) -> None:
    """Replace the running statistics of `network` (on `device`) by plain averages over `batches` of training images.

    Statistics gathered during training lag behind the weights, so scores fluctuate between epochs, and EMA weights have
    no statistics of their own. Averaging over fixed weights is the "precise BN" of Wu and Johnson 2021
    (https://arxiv.org/abs/2105.07576); a few hundred images suffice. The network keeps its training or evaluation mode.
    """
    training = network.training
    with torch.no_grad():
        update_bn(batches, _OnBatches(network), torch.device(device))
    network.train(training)
