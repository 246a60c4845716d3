"""One process at a time works in the folder of a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import LOCK


class FolderTakenError(InputError):
    """Another process works in the folder, and it alone reports what becomes of it."""


@contextmanager
def locked(folder: Path, key: str = "hydra.run.dir") -> Iterator[None]:
    """Lock a folder until the block, or this process, ends.

    The lock file holds the process number of the owner. Its presence says nothing: the operating system releases the
    lock when the process ends, however it ends.

    Args:
        folder: Folder to lock.
        key: Setting that named the folder, for messages.

    Raises:
        FolderTakenError: Another process has locked it.
        InputError: The file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    # filelock 4 closes its descriptor in forked children: processes that read images outlive a killed run by seconds.
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        owner = ""
        with suppress(OSError):
            owner = path.read_text(encoding="utf-8").strip()
        raise FolderTakenError(
            f"{key}={folder}: {owner or 'another process'} is writing there; wait for its end, or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise InputError(
            f"{key}={folder}: can't be locked there ({error}); choose a folder on a disk with locks"
        ) from error
    try:
        with suppress(OSError):  # Windows lets nobody write to a locked file; messages then name no owner
            path.write_text(f"process {os.getpid()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            path.unlink()
        lock.release()
