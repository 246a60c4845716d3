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
    record: Record, masks: Masks, size: int, epoch: int | None = None, resizing: Resizing = "antialias"
) -> Batch:
    """Read one image as a batch of one, at the network's resolution; raise `InputError` if a file can't be used.

    Args:
        record: Image to read.
        masks: Source of its mask.
        size: Side in pixels.
        epoch: Epoch of training for masks that vary, or None.
        resizing: Method of `resize`.
    """
    pixels, shape = decode(record, size, resizing)
    return to_batch([record], pixels[None], [shape], masks, epoch)


def to_batch(
    records: Sequence[Record],
    pixels: UInt8[Tensor, "b 3 s s"],
    shapes: Sequence[tuple[int, int]],
    masks: Masks,
    epoch: int | None,
) -> Batch:
    """Make a batch of decoded images: draw their masks, and scale their joints.

    Args:
        records: Images.
        pixels: What `decode` returns for each.
        shapes: Height and width of each in its file, in pixels.
        masks: Source of the masks.
        epoch: Epoch of training for masks that vary, or None.

    Raises:
        InputError: An image has no usable mask.
    """
    size = pixels.shape[-1]
    each = zip(records, shapes, strict=True)
    mask = torch.stack([masks.mask(record, shape, size, epoch) for record, shape in each])[:, None]
    target = to_signed(pixels)
    blind = torch.tensor([record.original is None for record in records])
    if blind.any():
        target = target.masked_fill(mask & blind.view(-1, 1, 1, 1), torch.nan)
    joints, pose = [record.joints for record in records if record.joints is not None], None
    if len(joints) == len(records):
        scales = torch.tensor([[size / width, size / height, 1.0] for height, width in shapes])
        pose = torch.tensor(joints) * scales[:, None]
    return Batch(target, mask.float(), tuple(record.name for record in records), pose)


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
    if len(batches) == 1:
        return batches[0]
    poses = [batch.pose for batch in batches if batch.pose is not None]
    return Batch(
        target=torch.cat([batch.target for batch in batches]),
        mask=torch.cat([batch.mask for batch in batches]),
        names=tuple(name for batch in batches for name in batch.names),
        pose=torch.cat(poses) if len(poses) == len(batches) else None,
    )


def split(batch: Batch) -> list[Batch]:
    """Divide a batch into batches of one; the inverse of `collate`."""
    return [
        Batch(
            batch.target[i : i + 1],
            batch.mask[i : i + 1],
            (name,),
            None if batch.pose is None else batch.pose[i : i + 1],
        )
        for i, name in enumerate(batch.names)
    ]


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
        (batch,) = self.__getitems__([key])
        return batch

    def __getitems__(self, keys: Sequence[int | tuple[int, int]]) -> list[Batch]:
        """Read images of the same epoch at once, which PyTorch's loader asks for; packed ones come as one batch."""
        epoch = None if isinstance(keys[0], int) else keys[0][0]
        indices = [key if isinstance(key, int) else key[1] for key in keys]
        records = [self.records[index] for index in indices]
        if self.packed is not None:
            batches = [to_batch(records, *self.packed.read(indices), self.masks, epoch)]
        else:
            batches = [read_record(record, self.masks, self.size, epoch, self.resizing) for record in records]
        if epoch is None or self.augmentation is None:
            return batches
        return [self.augmentation(image, epoch) for batch in batches for image in split(batch)]
