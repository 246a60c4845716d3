"""OpenCV's two inpainting algorithms, `cv2.inpaint` (https://docs.opencv.org/4.x/df/d3d/tutorial_py_inpainting.html)."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.data.images import from_arrays, to_arrays, to_holes
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import InpaintingOutput, check_choice

Method = Literal["telea", "navier_stokes"]


class OpenCVFill:
    """Telea 2004 (fast marching) or Bertalmio, Bertozzi and Sapiro 2001 (Navier-Stokes), on 8-bit images.

    Raises `InputError` if OpenCV is not installed or an argument is out of range.

    Args:
        method: Algorithm, "telea" or "navier_stokes".
        radius: Positive radius of the neighbourhood of a filled pixel, in pixels.
    """

    def __init__(self, method: Method, radius: float = 3) -> None:
        check_choice("model.method", method, Method)
        if radius <= 0:
            raise InputError(f"model.radius={radius}: must be positive, in pixels")
        cv2 = import_extra("cv2", f"model={method} needs OpenCV", "classic")
        self.flag = cv2.INPAINT_TELEA if method == "telea" else cv2.INPAINT_NS
        self.inpaint, self.radius = cv2.inpaint, radius

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint each image on the CPU."""
        pairs = zip(to_arrays(known), to_holes(mask), strict=True)
        filled = [self.inpaint(image, hole, self.radius, self.flag) for image, hole in pairs]
        return InpaintingOutput(raw=from_arrays(np.stack(filled)).to(known)[:, None])
