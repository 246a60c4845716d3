"""Data set of inpainting samples."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from pose_inpaint.data.augmentation import Augmentation
from pose_inpaint.data.images import Resizing, read_image, resize, to_signed
from pose_inpaint.data.maskdata import draw_blocks
from pose_inpaint.data.masks import Masks
from pose_inpaint.data.packed import Decoded, PackedImages, pack
from pose_inpaint.data.records import Record
from pose_inpaint.errors import InputError
from pose_inpaint.types import Batch


def decode(record: Record, size: int, resizing: Resizing = "antialias") -> Decoded:
    """Read the pixels of one image at the network's resolution; raise `InputError` if a file can't be used.

    With a masked image (X), its pixels are used outside the holes and the original's inside, as in the authors' code.

    Args:
        record: Image to read.
        size: Side in pixels.
        resizing: Method of `resize`.
    """
    first = record.original or record.masked
    if first is None:
        raise InputError(f"{record.name}: neither original nor masked image")
    image = read_image(first)
    shape = (image.shape[-2], image.shape[-1])
    if record.original and record.masked:
        image = _join(image, read_image(record.masked), record)
    return resize(image, size, size, resizing), shape


def read_record(
    record: Record,
    masks: Masks,
    size: int,
    epoch: int | None = None,
    resizing: Resizing = "antialias",
    decoded: Decoded | None = None,
) -> Batch:
    """Read one image as a batch of one, at the network's resolution; raise `InputError` if a file can't be used.

    Args:
        record: Image to read.
        masks: Source of its mask.
        size: Side in pixels.
        epoch: Epoch of training for masks that vary, or None.
        resizing: Method of `resize`.
        decoded: What `decode` returns for the record, if it is known.
    """
    pixels, shape = decode(record, size, resizing) if decoded is None else decoded
    masked = masks.mask(record, shape, size, epoch)
    target = to_signed(pixels)
    if record.original is None:
        target = torch.where(masked, torch.full_like(target, torch.nan), target)
    pose = None
    if record.joints is not None:
        pose = torch.tensor(record.joints)[None] * torch.tensor([size / shape[1], size / shape[0], 1.0])
    return Batch(target[None], masked[None, None].float(), (record.name,), pose)


def _join(original: UInt8[Tensor, "3 h w"], masked: UInt8[Tensor, "3 h w"], record: Record) -> UInt8[Tensor, "3 h w"]:
    if original.shape != masked.shape:
        raise InputError(
            f"{record.masked}: {masked.shape[1]}x{masked.shape[2]} pixels, but its original {record.original} has "
            f"{original.shape[1]}x{original.shape[2]}; make them the same size"
        )
    # X is black in the challenge's own blocks, whichever mask is in use, so Y fills exactly those blocks.
    if record.blocks is None:
        return original
    return torch.where(draw_blocks(record.blocks, original.shape[1], original.shape[2]), original, masked)


def collate(batches: Sequence[Batch]) -> Batch:
    """Concatenate batches; drop the poses unless every batch has them."""
    poses = [batch.pose for batch in batches if batch.pose is not None]
    return Batch(
        target=torch.cat([batch.target for batch in batches]),
        mask=torch.cat([batch.mask for batch in batches]),
        names=tuple(name for batch in batches for name in batch.names),
        pose=torch.cat(poses) if len(poses) == len(batches) else None,
    )


class ImageDataset(Dataset[Batch]):
    """Images of a split, indexed by (epoch, index), or by index alone for fixed masks and no augmentation.

    The epoch is part of the key because each loader process has its own copy of the data set.
    """

    def __init__(
        self,
        records: Sequence[Record],
        masks: Masks,
        size: int,
        augmentation: Augmentation | None = None,
        resizing: Resizing = "antialias",
    ) -> None:
        self.records, self.masks, self.size, self.resizing = list(records), masks, size, resizing
        self.augmentation = augmentation
        self.packed: PackedImages | None = None

    def pack(self, split: str) -> None:
        """Decode every image once, into a file in the user's cache from which they are read from now on.

        Args:
            split: Name of the images, for messages.
        """
        decode_record = partial(decode, size=self.size, resizing=self.resizing)
        self.packed = pack(self.records, self.size, self.resizing, decode_record, split)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: int | tuple[int, int]) -> Batch:
        epoch, index = (None, key) if isinstance(key, int) else key
        decoded = self.packed[index] if self.packed is not None else None
        batch = read_record(self.records[index], self.masks, self.size, epoch, self.resizing, decoded)
        return batch if epoch is None or self.augmentation is None else self.augmentation(batch, epoch)
