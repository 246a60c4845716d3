"""Mean of a method's outputs for an image and its mirror image."""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.types import Inpainter, InpaintingOutput


class MirrorAverage:
    """Inpaint each image and its mirror image, and average both outputs, the latter mirrored back.

    A network that isn't the same for left and right makes two errors, which partly cancel in the mean. It takes twice
    the time, and it blurs methods that copy or sample.

    Args:
        inpainter: Method to average.
    """

    def __init__(self, inpainter: Inpainter) -> None:
        self.inpainter = inpainter
        self.stride: int = getattr(inpainter, "stride", 1)

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint; samples are averaged in pairs, and other outputs than `raw` are those of the image itself."""
        output = self.inpainter(known, mask, samples=samples, generator=generator)
        mirrored = self.inpainter(known.flip(-1), mask.flip(-1), samples=samples, generator=generator)
        return dataclasses.replace(output, raw=(output.raw + mirrored.raw.flip(-1)) / 2)
