"""PatchMatch: fill holes with patches of the image itself, by the library pypatchmatch (MIT).

Barnes, Shechtman, Finkelstein and Goldman: PatchMatch, SIGGRAPH 2009 (https://doi.org/10.1145/1531326.1531330), with
section 4's hole filling after Wexler, Shechtman and Irani 2007. https://github.com/mauwii/PyPatchMatch
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pose_inpaint.data.images import from_arrays, to_arrays, to_holes
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import InpaintingOutput

DEFAULT_SEED = 1212  # the library's own, which is undocumented and was found by experiment


class PatchMatchFill:
    """Fill each image from coarse to fine with its own patches, matched by randomised search.

    Args:
        patch: Side of the compared patches in pixels, odd and at least 3.

    Raises:
        InputError: pypatchmatch is not installed or does not load, or `patch` is out of range.
    """

    def __init__(self, patch: int = 7) -> None:
        if patch < 3 or patch % 2 == 0:
            raise InputError(f"model.patch={patch}: must be odd and at least 3, in pixels")
        patchmatch = import_extra("patchmatch", "model=patchmatch needs pypatchmatch", "classic")
        if not patchmatch.patchmatch_available:
            raise InputError(
                "model=patchmatch: pypatchmatch was built without its native library; install a C++ compiler, CMake "
                "and OpenCV, then run pip install --force-reinstall --no-cache-dir pypatchmatch"
            )
        self.library, self.patch = patchmatch, patch

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint each image on the CPU, `samples` times; earlier calls don't change the outputs.

        Raises `InputError` if an image is smaller than a patch or completely masked.
        """
        height, width = known.shape[-2:]
        if min(height, width) < self.patch:
            image = f"an image of {height}x{width} pixels"
            raise InputError(f"model.patch={self.patch}: larger than {image}; give a smaller patch")
        holes = to_holes(mask)
        if holes.all((1, 2)).any():
            raise InputError("model=patchmatch: a completely masked image has no patch to copy from; remove the image")
        first = DEFAULT_SEED if generator is None else generator.initial_seed()
        filled = [
            np.stack([self._fill(image, hole, first + sample) for sample in range(samples)])
            for image, hole in zip(to_arrays(known), holes, strict=True)
        ]
        return InpaintingOutput(raw=from_arrays(np.stack(filled)).to(known))

    def _fill(
        self, image: UInt8[np.ndarray, "h w 3"], hole: UInt8[np.ndarray, "h w"], seed: int
    ) -> UInt8[np.ndarray, "h w 3"]:
        self.library.set_random_seed(seed % 2**32)  # the library reseeds from it for each image
        filled: np.ndarray = self.library.inpaint(image, hole, patch_size=self.patch // 2)  # its size is a radius
        return filled
