"""One run in a folder at a time."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

"""In the folder. Whether it is there says nothing; what counts is who has it locked, which ends with the process."""


class FolderTakenError(InputError):
    """Another process writes to the folder, and alone says what becomes of it."""


@contextmanager
def locked(folder: Path, key: str = "hydra.run.dir") -> Iterator[None]:
    """Has the folder for this process alone, until it ends, however it ends.

    Args:
        folder: the folder.
        key: the setting that named it, for messages.

    Raises:
        FolderTakenError: another process has it.
        InputError: the disk has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with path.open("a+") as file:
        try:
            _lock(file)
            taken = not os.path.samestat(os.fstat(file.fileno()), path.stat())  # its owner ended as we opened it
        except FileNotFoundError:
            taken = True  # likewise
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise InputError(
                    f"{key}={folder}: can't be locked there ({error}); choose a folder on a disk with locks"
                ) from error
            taken = True
        if taken:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise FolderTakenError(
                f"{key}={folder}: {owner} is writing there; wait for its end, or choose another folder"
            )
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):  # Windows does not remove open files
                path.unlink()


if os.name == "nt":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        file.seek(1 << 30)  # a place that nobody reads
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        # Of the two kinds of locks the one that processes forked for reading images don't share: they outlive a
        # killed run by seconds, in which it could not be resumed.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
