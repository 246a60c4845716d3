"""Inpaint image files in order, while others are read and written."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Bool, UInt8
from torch import Tensor

from pose_inpaint.data.photos import Photo
from pose_inpaint.runtime.pipeline import read_ahead, write_behind

TOGETHER = 16  # images that a network is given at a time
PIXELS = 2**22  # of the images of such a group: the image that exceeds them is its last

Inpaint = Callable[[list[tuple[UInt8[Tensor, "3 h w"], Bool[Tensor, "h w"]]]], list[UInt8[Tensor, "3 h w"] | Exception]]
"""From images and their masks to the output of each, or what is wrong with it."""


@dataclass
class PhotoFile:
    """An image file on its way to its output.

    Attributes:
        name: Name of the image, as in its folder.
        source: File to read.
        target: File to write.
        photo: What was read; None for a file that is left out.
        holes: Pixels to inpaint.
        output: Inpainted pixels.
        error: What is wrong with the file, its mask or its output.
    """

    name: str
    source: Path
    target: Path
    photo: Photo | None = None
    holes: Bool[Tensor, "h w"] | None = None
    output: UInt8[Tensor, "3 h w"] | None = None
    error: Exception | None = None


def inpaint_files(
    files: Iterable[PhotoFile],
    read: Callable[[PhotoFile], None],
    inpaint: Inpaint,
    write: Callable[[PhotoFile], None],
    together: int = TOGETHER,
) -> None:
    """Read files in one thread, inpaint them here and write them in another thread, each in the files' order.

    At most five groups of images are in memory, of `PIXELS` and one image each.

    Args:
        files: Files to inpaint.
        read: Function that sets `photo` and `holes`; what it raises becomes the file's `error`.
        inpaint: Method.
        write: Function that writes the file's output or reports its error; what it raises ends the work.
        together: Largest number of images that the method is given at a time.
    """

    def write_group(group: list[PhotoFile]) -> None:
        """Write or report each file of a group."""
        for file in group:
            write(file)

    with closing(read_ahead(_groups(files, read, together))) as groups, write_behind(write_group) as hand_over:
        for group in groups:
            chosen = [file for file in group if file.error is None and file.photo is not None]
            for file, output in zip(chosen, _outputs(chosen, inpaint), strict=True):
                if isinstance(output, Exception):
                    file.error = output
                else:
                    file.output = output
            hand_over(group)


def _groups(files: Iterable[PhotoFile], read: Callable[[PhotoFile], None], together: int) -> Iterator[list[PhotoFile]]:
    group: list[PhotoFile] = []
    pixels = 0
    for file in files:
        try:
            read(file)
        except Exception as error:
            file.error = error
        group.append(file)
        pixels += 0 if file.photo is None else file.photo.pixels[0].numel()
        if len(group) == together or pixels >= PIXELS:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _outputs(files: list[PhotoFile], inpaint: Inpaint) -> list[Tensor | Exception]:
    """Inpaint a group; if that fails, each image by itself, so that one fails alone."""
    pairs = [(file.photo.pixels, file.holes) for file in files if file.photo is not None and file.holes is not None]
    if not pairs:
        return []
    try:
        return list(inpaint(pairs))
    except Exception as error:
        if len(files) == 1:
            return [error]
        return [output for file in files for output in _outputs([file], inpaint)]
