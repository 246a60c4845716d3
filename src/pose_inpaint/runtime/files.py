"""Atomic writing of files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"


@contextmanager
def written_whole(path: Path, *, synced: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to `path` on success, so that `path` is never incomplete.

    If writing fails or the process is killed, `path` stays as it was; with `synced`, which is slower, also after a
    power failure. The folder must exist.
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
    """Flush a file's contents, or a folder's entries, to disk."""
    if path.is_dir() and os.name == "nt":  # Windows can't open folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder. No other process may be writing there."""
    for part in folder.glob(f".*{PART}"):
        part.unlink()
