"""Records of the images in a data set."""

from dataclasses import dataclass, field
from pathlib import Path

from pose_inpaint.data.maskdata import Block

Joints = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Record:
    """Files and annotations of an image; the image itself is not opened.

    Attributes:
        name: File name, unique in the split.
        original: File without holes; None in a blind test split.
        masked: File with black holes, or None.
        blocks: Squares of `maskdata.json`, or None.
        joints: x, y (pixels) and visibility of each of `pose_inpaint.data.joints.JOINTS`, or None.
    """

    name: str
    original: Path | None
    masked: Path | None = None
    blocks: tuple[Block, ...] | None = None
    joints: Joints | None = None

    @property
    def path(self) -> Path:
        """File to name in messages."""
        return self.original or self.masked or Path(self.name)


@dataclass(frozen=True)
class Listing:
    """Images of a split, and the problems of its lists, one line each."""

    records: list[Record]
    problems: list[str] = field(default_factory=list)
