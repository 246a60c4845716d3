"""A folder of inpainted images, made by this package or not, scored like any method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pose_inpaint.data.images import image_size, list_images, read_image, resize, stem, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.types import InpaintingOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_inpaint.data.records import Record
    from pose_inpaint.types import Batch


class Predictions:
    """Outputs read from files: NAME.png for the image NAME.jpg, at the original's resolution.

    Args:
        folder: of the files.
        records: the images that are to be scored.
        listed: all images of the split, which the folder may hold too.

    Raises:
        InputError: there is no such folder, an image is missing or one too many, or a size differs.
    """

    def __init__(self, folder: str, records: Sequence[Record], listed: Sequence[Record]) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(
                f"predictions={folder}: no such folder; give one with an inpainted image for each of the split"
            )
        self.files: dict[str, Path] = {}
        for name, path in list_images(self.folder, recursive=True).items():
            if stem(name) in self.files:
                raise InputError(f"predictions={folder}: {self.files[stem(name)].name} and {name} are of one image")
            self.files[stem(name)] = path
        wanted = {stem(record.name) for record in records}
        if len(wanted) < len(records):
            raise InputError(f"predictions={folder}: two images of the split differ in their ending alone; rename one")
        self._demand(sorted(wanted - set(self.files)), "has no image for", "add it")
        self._demand(
            sorted(set(self.files) - {stem(record.name) for record in listed}), "has an image too many:", "remove it"
        )
        for record in records:
            ours, original = image_size(self.files[stem(record.name)]), image_size(record.path)
            if ours != original:
                raise InputError(
                    f"{self.files[stem(record.name)]}: {ours[0]}x{ours[1]} pixels (height x width), but its original "
                    f"has {original[0]}x{original[1]}; give it at the original's size"
                )

    def __call__(self, batch: Batch) -> InpaintingOutput:
        """The outputs of a batch, resized as the originals are."""
        side = batch.target.shape[-1]
        images = [to_signed(resize(read_image(self.files[stem(name)]), side, side)) for name in batch.names]
        return InpaintingOutput(torch.stack(images).to(batch.target.device)[:, None])

    def _demand(self, names: Sequence[str], what: str, way_out: str) -> None:
        if names:
            more = f" (and {len(names) - 1} more)" if names[1:] else ""
            raise InputError(f"predictions={self.folder}: {what} {names[0]}{more}; {way_out}")
