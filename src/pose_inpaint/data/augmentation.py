"""Augmentation of training images with their joints, drawn by seed, image name and epoch."""

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.data.images import resize
from pose_inpaint.data.joints import MIRRORED
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.hashing import digest
from pose_inpaint.types import Batch


class Augmentation(Protocol):
    """Random change of a training image, before holes are cut."""

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """Change a batch of one.

        Args:
            batch: Image, mask and joints.
            epoch: Epoch of training; drawn again in each.
        """
        ...


class Standard:
    """Mirrored, cropped and brightened or darkened images.

    Image, mask and joints change together; in a mirrored image, right and left joints swap names. All ranks and reading
    processes draw the same, since a digest of seed, name and epoch seeds each image.

    Args:
        seed: Random seed of the run.
        mirrored: Probability that an image is mirrored, in [0, 1].
        crop: Smallest share of the image's side that a random crop keeps, in (0, 1]; the crop is resized to the full
            size. The mask is not cropped: its squares are as random as the crop.
        brightness: Largest change of the mean, in [0, 1], as a share of the range of values.
        contrast: Largest relative change of the deviations from the mean, in [0, 1].

    Raises:
        InputError: An argument is out of range.
    """

    def __init__(
        self, seed: int, mirrored: float = 0.5, crop: float = 1.0, brightness: float = 0.0, contrast: float = 0.0
    ) -> None:
        for key, value in {"mirrored": mirrored, "brightness": brightness, "contrast": contrast}.items():
            if not 0 <= value <= 1:
                raise InputError(f"augment.{key}={value}: must be in [0, 1]")
        if not 0 < crop <= 1:
            raise InputError(f"augment.crop={crop}: must be in (0, 1]; 1 keeps the whole image")
        self.seed, self.mirrored, self.crop = seed, mirrored, crop
        self.brightness, self.contrast = brightness, contrast

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """Change a batch of one."""
        draw = np.random.Generator(np.random.PCG64(digest("augment", self.seed, batch.names[0], epoch)))
        mirror = draw.random() < self.mirrored
        share, top, left = 1 - (1 - self.crop) * draw.random(), draw.random(), draw.random()
        shift, gain = 2 * self.brightness * draw.uniform(-1, 1), 1 + self.contrast * draw.uniform(-1, 1)
        if self.crop < 1:
            batch = _cropped(batch, share, top, left)
        if self.brightness or self.contrast:
            mean = batch.target.mean()
            batch = replace(batch, target=((batch.target - mean) * gain + mean + shift).clamp(-1, 1))
        return _mirrored(batch) if mirror else batch


def _mirrored(batch: Batch) -> Batch:
    """Mirror images, masks and joints; the centre of the first pixel is 0.5, so a joint at x comes to width - x."""
    pose = batch.pose
    if pose is not None:
        pose = pose[:, list(MIRRORED)]
        pose = torch.cat([batch.target.shape[-1] - pose[..., :1], pose[..., 1:]], dim=-1)
    return replace(batch, target=batch.target.flip(-1), mask=batch.mask.flip(-1), pose=pose)


def _cropped(batch: Batch, share: float, top: float, left: float) -> Batch:
    """Cut out a square and enlarge it to the full size; joints outside it become invisible."""
    size = batch.target.shape[-1]
    side = max(1, round(share * size))
    row, column = round(top * (size - side)), round(left * (size - side))
    target = resize(batch.target[0, :, row : row + side, column : column + side], size, size)[None]
    return replace(batch, target=target, pose=_moved(batch.pose, row, column, size / side, size))


def _moved(pose: Float[Tensor, "1 14 3"] | None, row: int, column: int, scale: float, size: int) -> Tensor | None:
    if pose is None:
        return None
    places = (pose[..., :2] - torch.tensor([column, row])) * scale
    inside = ((places >= 0) & (places < size)).all(dim=-1, keepdim=True)
    return torch.cat([places, pose[..., 2:] * inside], dim=-1)
