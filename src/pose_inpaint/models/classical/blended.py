"""Blending an output into its surroundings, as Iizuka et al. 2017 do after their network (section 3.5)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pose_inpaint.data.images import from_arrays, to_arrays
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from torch import Tensor

    from pose_inpaint.types import Inpainter, InpaintingOutput

MARGIN = 4  # pixels repeated around the image: OpenCV leaves the outermost pixels of holes at its edge out


class Blended:
    """Another method, its colours in the holes drawn to those around them by Poisson blending (Pérez et al. 2003).

    The holes are first filled by fast marching (Telea 2004), which sets the colours at their rims; then the method's
    gradients are integrated from there (OpenCV's `seamlessClone`). Known pixels are those of the input.

    Args:
        inpainter: the method.
        radius: neighbourhood of a pixel that fast marching fills, in pixels.

    Raises:
        InputError: OpenCV is not installed, or the radius is not positive.
    """

    def __init__(self, inpainter: Inpainter, radius: float = 3) -> None:
        if radius <= 0:
            raise InputError(f"postprocess.radius={radius}: must be positive, in pixels")
        self.opencv = import_extra("cv2", "postprocess=blend needs OpenCV", "classic")
        self.inpainter, self.radius = inpainter, radius
        self.stride: int = getattr(inpainter, "stride", 1)

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaints, then blends each image and sample on the CPU; an image without known pixels stays as it is."""
        output = self.inpainter(known, mask, samples=samples, generator=generator)
        holes = mask[:, 0].byte().cpu().numpy()
        inputs = to_arrays(known)
        blended = [
            [self.blend(image, sample, hole) for sample in to_arrays(of_image)]
            for image, of_image, hole in zip(inputs, output.raw, holes, strict=True)
        ]
        raw = from_arrays(np.stack([np.stack(each) for each in blended]))
        return dataclasses.replace(output, raw=raw.to(output.raw))

    def blend(
        self, image: UInt8[np.ndarray, "h w 3"], inpainted: UInt8[np.ndarray, "h w 3"], hole: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """One image; its hole is 1."""
        if not hole.any() or hole.all():
            return inpainted
        filled = self.opencv.inpaint(image, hole, self.radius, self.opencv.INPAINT_TELEA)
        source = np.where(hole[..., None] > 0, inpainted, image)
        source, filled = (
            np.pad(each, ((MARGIN,) * 2, (MARGIN,) * 2, (0, 0)), mode="edge") for each in (source, filled)
        )
        mask = np.pad(hole, MARGIN, mode="edge")  # holes at the edge go on in the margin
        left, top, width, height = self.opencv.boundingRect(mask)
        # OpenCV puts the middle of the mask's bounding rectangle at a point of the target; this one moves nothing.
        centre = (left + width // 2, top + height // 2)
        cloned: Any = self.opencv.seamlessClone(source, filled, mask * 255, centre, self.opencv.NORMAL_CLONE)
        inside = cloned[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return np.where(hole[..., None] > 0, inside, image)
