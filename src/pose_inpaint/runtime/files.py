"""Files written whole, and their digests."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART = ".part"


@contextmanager
def written_whole(path: Path, *, synced: bool = False) -> Iterator[Path]:
    """Another name to write under; the file gets its own once all is there, so that no half of it ever carries it.

    The folder must be there. Where writing fails, or the process is killed, the file is as it was; with `synced` also
    where the machine loses its power, which costs the time of a write to the disk.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        if synced:
            _sync(part)
        part.replace(path)
        if synced:
            _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Has the disk keep a file's contents, or a folder's names, before anything else is done."""
    if path.is_dir() and os.name == "nt":  # folders can't be opened there
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(folder: Path) -> None:
    """Removes what `written_whole` left in a folder when its process was killed; nobody else may write there."""
    for part in folder.glob(f".*{PART}"):
        part.unlink()
