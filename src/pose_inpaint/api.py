"""Inpaint from Python: `load` a model once, then call it with images and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from omegaconf import OmegaConf

from pose_inpaint.config.block_schema import check_scale
from pose_inpaint.config.command import CONF
from pose_inpaint.data.array_images import AnyImage, read_any, read_any_mask, split_batch, write_like
from pose_inpaint.data.masks import grow as grow_mask
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.candidates import build_image_inpainter
from pose_inpaint.models.hub import is_on_hub
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.runtime.devices import choose_device

Scale = Literal["auto", "native"] | int


def load(weights: str | Path = "pretrained", *, device: str = "auto") -> Model:
    """Load a model.

    Args:
        weights: "pretrained", the model that comes with the package; the path of a checkpoint, or of a folder that
            `release` wrote; "hf://OWNER/NAME" for such a folder on the Hugging Face Hub; or a method that needs no
            weights: "push_pull", "mean", "telea", "navier_stokes", "patchmatch".
        device: "cpu", "cuda", "mps" or another device of PyTorch; "auto" for a GPU if there is one.

    Returns:
        The model, to be called with an image and a mask.

    Raises:
        InputError: No such weights, or damaged ones; or the device is not available.

    Examples:
        >>> import numpy as np
        >>> from pose_inpaint import load
        >>> model = load("pretrained", device="cpu")
        >>> image = np.full((64, 48, 3), 200, dtype=np.uint8)
        >>> mask = np.zeros((64, 48), dtype=bool)
        >>> mask[20:30, 10:20] = True
        >>> inpainted = model(image, mask)
        >>> inpainted.shape, inpainted.dtype, (inpainted[~mask] == 200).all()
        ((64, 48, 3), dtype('uint8'), np.True_)
    """
    chosen = choose_device(device)
    block = CONF / "model" / f"{weights}.yaml"
    if is_on_hub(weights) or Path(weights).exists():
        return Model(str(weights), build_image_inpainter(None, str(weights), {}, chosen))
    if str(weights).isidentifier() and block.is_file():
        model: Any = OmegaConf.to_container(OmegaConf.load(block), resolve=True)
        return Model(str(weights), build_image_inpainter(model, None, {}, chosen))
    raise InputError(
        f"weights={weights}: no such file, folder or method; give pretrained, a checkpoint, a folder that release "
        "wrote, or push_pull, mean, telea, navier_stokes or patchmatch"
    )


class Model:
    """Inpaint images of any size; made by `load`.

    Attributes:
        name: What was loaded.
        images: The method as it is applied to tensors of 0..255.
    """

    def __init__(self, name: str, images: ImageInpainter) -> None:
        self.name, self.images = name, images

    def __repr__(self) -> str:
        """Name, device and learned size."""
        learned = f", learned at {self.images.learned} pixels" if self.images.learned else ""
        return f"<pose_inpaint model {self.name} on {self.images.device}{learned}>"

    def __call__(
        self,
        image: AnyImage | list[AnyImage],
        mask: AnyImage | list[AnyImage] | None = None,
        *,
        samples: int = 1,
        seed: int = 0,
        scale: Scale = "auto",
        grow: int = 0,
        feather: int = 0,
    ) -> Any:
        """Inpaint one image or a batch; known pixels stay exactly as they are.

        Args:
            image: A PIL image; a NumPy array (h, w, 3) or (h, w); a tensor (3, h, w) or (h, w); or a batch of them: a
                list, an array (n, h, w, 3) or a tensor (n, 3, h, w). Arrays and tensors hold 0 to 255 as uint8 or 0 to
                1 as floating-point numbers.
            mask: One mask, or one for each image, of the same height and width: masked where it is True, 1, or light.
                None for PIL images whose transparent pixels are to be inpainted.
            samples: Number of outputs of each image; more than 1 for methods that draw random numbers.
            seed: Seed of these methods.
            scale: "auto": each group of holes is inpainted in a view at the scale that the network learned, so photos
                of any size work. "native": the network sees the whole image at its own resolution. N: the whole image
                is resized to N x N pixels and back.
            grow: Pixels by which the mask is enlarged on each side, for masks that are cut too close.
            feather: Width in pixels over which the output fades into the known pixels around a hole, and changes them.

        Returns:
            An image of the same kind, size and type; a batch for a batch; with more than one sample, a list of them (of
            each image).

        Raises:
            InputError: An image or mask can't be used; says which and why.
        """
        check_scale(scale)
        if samples < 1 or grow < 0 or feather < 0:
            raise InputError(
                f"samples={samples}, grow={grow}, feather={feather}: give at least 1 sample, and 0 or more pixels"
            )
        images = split_batch(image)
        if images is None:
            return self._one(image, mask, samples, seed, scale, grow, feather)
        masks = None if mask is None else split_batch(mask, mask=True)
        each = [mask] * len(images) if masks is None else masks * len(images) if len(masks) == 1 else masks
        if len(each) != len(images):
            raise InputError(f"{len(each)} masks for {len(images)} images; give one, or one for each")
        outputs = []
        for i, (one, its) in enumerate(zip(images, each, strict=True)):
            try:
                outputs.append(self._one(one, its, samples, seed, scale, grow, feather))
            except InputError as error:
                raise InputError(f"image {i}: {error}") from error
        return outputs if isinstance(image, list | tuple) or samples > 1 else _stack(outputs)

    def _one(self, image: Any, mask: Any, samples: int, seed: int, scale: Scale, grow: int, feather: int) -> Any:
        read = read_any(image)
        size = read.pixels.shape[1:]
        if mask is not None:
            masked = read_any_mask(mask)
        elif read.alpha is not None:
            masked = read.alpha < 255
        else:
            raise InputError("mask: give one; only PIL images with transparent pixels need none")
        if masked.shape != size:
            raise InputError(
                f"mask of {masked.shape[0]}x{masked.shape[1]} pixels (height x width), image of {size[0]}x{size[1]}: "
                "make them the same size"
            )
        masked = grow_mask(masked, grow)
        if masked.all() or not masked.any():
            covers = ("the whole image" if masked.all() else "nothing") + (f", grown by {grow} pixels" if grow else "")
            raise InputError(f"mask: covers {covers}; True or white is to be inpainted, so invert it if it is reversed")
        if read.not_a_number is not None and (read.not_a_number & ~masked).any():
            raise InputError("image: has NaN or infinite values outside its mask; mask them, or replace them")
        whole, side = scale == "native", scale if isinstance(scale, int) else None
        output = self.images.composite(
            read.pixels, masked, side, whole=whole, feather=feather, samples=samples, seed=seed
        )
        written = [write_like(read, sample, masked) for sample in output]
        return written[0] if samples == 1 else written


def _stack(images: list[Any]) -> Any:
    return torch.stack(images) if isinstance(images[0], torch.Tensor) else np.stack(images)
