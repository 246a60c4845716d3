"""Poisson blending of an output into its surroundings, as in Iizuka et al. 2017 (section 3.5)."""

import dataclasses
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pose_inpaint.data.images import from_arrays, to_arrays, to_holes
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import Inpainter, InpaintingOutput

MARGIN = 4  # pixels repeated around the image: OpenCV leaves out a hole's outermost pixels at the image's edge


class Blended:
    """Blend a method's output into the known pixels by Poisson blending (Pérez et al. 2003).

    Fast marching (Telea 2004) fills the holes first, which sets the colours at their borders. OpenCV's `seamlessClone`
    then integrates the output's gradients from there. Known pixels stay those of the input. Raises `InputError` if
    OpenCV is not installed or the radius is not positive.

    Args:
        inpainter: Method to blend the output of.
        radius: Positive radius in pixels of the neighbourhood that fast marching fills a pixel from; 1 in the authors'
            code.
    """

    def __init__(self, inpainter: Inpainter, radius: float = 1) -> None:
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
        """Inpaint, then blend each image and sample on the CPU; fully known or fully masked images are not blended."""
        output = self.inpainter(known, mask, samples=samples, generator=generator)
        blended = [
            [self.blend(image, sample, hole) for sample in to_arrays(of_image)]
            for image, of_image, hole in zip(to_arrays(known), output.raw, to_holes(mask), strict=True)
        ]
        return dataclasses.replace(output, raw=from_arrays(np.array(blended)).to(output.raw))

    def blend(
        self, image: UInt8[np.ndarray, "h w 3"], inpainted: UInt8[np.ndarray, "h w 3"], hole: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Blend one image; `hole` is 1 = masked."""
        if not hole.any() or hole.all():
            return inpainted
        filled = self.opencv.inpaint(image, hole, self.radius, self.opencv.INPAINT_TELEA)
        images = np.where(hole[..., None] > 0, inpainted, image), filled
        source, filled = (np.pad(each, ((MARGIN,) * 2, (MARGIN,) * 2, (0, 0)), mode="edge") for each in images)
        mask = np.pad(hole, MARGIN, mode="edge")  # holes at the edge extend into the margin
        left, top, width, height = self.opencv.boundingRect(mask)
        # OpenCV moves the centre of the mask's bounding rectangle to this point; its own centre leaves it in place.
        centre = (left + width // 2, top + height // 2)
        cloned: Any = self.opencv.seamlessClone(source, filled, mask * 255, centre, self.opencv.NORMAL_CLONE)
        return np.where(hole[..., None] > 0, cloned[MARGIN:-MARGIN, MARGIN:-MARGIN], image)
