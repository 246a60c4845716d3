"""Push-pull fill of the holes, as a method of its own."""

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.types import InpaintingOutput


class PushPullFill:
    """Fill the holes from a pyramid of averages of the known pixels; an image without any becomes mid-grey."""

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Fill the holes."""
        return InpaintingOutput(raw=torch.where(mask > 0, push_pull(known, mask), known)[:, None])
