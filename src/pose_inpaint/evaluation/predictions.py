"""Score a folder of inpainted images from any source like a method."""

from collections.abc import Sequence
from pathlib import Path

import torch

from pose_inpaint.data.images import image_size, list_images, read_image, resize, stem, to_signed
from pose_inpaint.data.records import Record
from pose_inpaint.errors import InputError
from pose_inpaint.types import Batch, InpaintingOutput


class Predictions:
    """Outputs read from files: NAME.png for the image NAME.jpg, at the original's resolution.

    Args:
        folder: Folder of the outputs.
        records: Images to score.
        listed: All images of the split; the folder may have outputs of these too.

    Raises:
        InputError: The folder doesn't exist, an output is missing or has no original, or a size differs.
    """

    def __init__(self, folder: str, records: Sequence[Record], listed: Sequence[Record]) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(
                f"predictions={folder}: no such folder; give one with an inpainted image for each image of the split"
            )
        self.files: dict[str, Path] = {}
        for name, path in list_images(self.folder, recursive=True).items():
            if stem(name) in self.files:
                raise InputError(
                    f"predictions={folder}: {self.files[stem(name)].name} and {name} are of the same image; remove one"
                )
            self.files[stem(name)] = path
        wanted = {stem(record.name) for record in records}
        if len(wanted) < len(records):
            raise InputError(f"predictions={folder}: two images of the split differ only in their suffix; rename one")
        self._check_empty(sorted(wanted - set(self.files)), "has no image for", "add it")
        unknown = sorted(set(self.files) - {stem(record.name) for record in listed})
        self._check_empty(unknown, "has an image that isn't in the split:", "remove it")
        for record in records:
            size, original = image_size(self.files[stem(record.name)]), image_size(record.path)
            if size != original:
                raise InputError(
                    f"{self.files[stem(record.name)]}: {size[0]}x{size[1]} pixels (height x width), but its original "
                    f"has {original[0]}x{original[1]}; give it at the original's size"
                )

    def __call__(self, batch: Batch) -> InpaintingOutput:
        """Read the outputs of a batch, resized like the originals."""
        side = batch.target.shape[-1]
        images = [to_signed(resize(read_image(self.files[stem(name)]), side, side)) for name in batch.names]
        return InpaintingOutput(torch.stack(images).to(batch.target.device)[:, None])

    def _check_empty(self, names: Sequence[str], problem: str, way_out: str) -> None:
        if names:
            more = f" (and {len(names) - 1} more)" if names[1:] else ""
            raise InputError(f"predictions={self.folder}: {problem} {names[0]}{more}; {way_out}")
