"""Last layers of discriminators, whose scores half precision would round too coarsely.

Under bfloat16 all scores from 99.75 to 100.25 become 100, and with them the differences that a Wasserstein loss is made
of.
"""

import torch
from torch import Tensor, nn


class ScoreLinear(nn.Linear):
    """Linear layer that computes in its weights' precision, also under autocast."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))


class ScoreConv2d(nn.Conv2d):
    """Convolution that computes in its weights' precision, also under autocast."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.to(self.weight.dtype))
