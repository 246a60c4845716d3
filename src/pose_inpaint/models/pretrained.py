"""Networks that come with the package, trained."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.models.release import find_release, read_release
from pose_inpaint.types import InpaintingOutput


class Pretrained(nn.Module):
    """Network with released weights; an `Inpainter`.

    Args:
        weights: Name of a release that comes with the package, or the folder of another one.
        key: Setting that named it, for messages.

    Raises:
        InputError: No such release, or a damaged one.
    """

    def __init__(self, weights: str = "pretrained", key: str = "model.weights") -> None:
        super().__init__()
        self.release = read_release(find_release(weights), key)
        self.network = self.release.network()
        self.stride = getattr(self.network, "stride", 1)
        self.eval()

    def forward(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint the images."""
        output: InpaintingOutput = self.network(known, mask, samples=samples, generator=generator)
        return output

    def train(self, mode: bool = True) -> Pretrained:
        """Stay in evaluation mode.

        Raises:
            InputError: `mode` is True: this wrapper is for inference.
        """
        if mode:
            raise InputError("model=pretrained: is for inference; train its network with init_from=FOLDER instead")
        super().train(mode)
        return self
