"""What a data set knows of each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pose_inpaint.data.maskdata import Block

Joints = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Record:
    """What is known of an image before any file but the lists is opened.

    Attributes:
        name: its file name, unique in the split.
        original: the file without holes; None in a blind test split.
        masked: the file with black holes, where there is one.
        blocks: its squares of `maskdata.json`, where listed.
        joints: x, y in pixels and visible, of each of `pose_inpaint.data.joints.JOINTS`, where listed.
    """

    name: str
    original: Path | None
    masked: Path | None = None
    blocks: tuple[Block, ...] | None = None
    joints: Joints | None = None

    @property
    def path(self) -> Path:
        """The file to name in messages."""
        return self.original or self.masked or Path(self.name)


@dataclass(frozen=True)
class Listing:
    """The images of a split, and what is wrong with its lists, a line each."""

    records: list[Record]
    problems: list[str] = field(default_factory=list)
