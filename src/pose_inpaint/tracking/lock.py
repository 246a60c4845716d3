"""One process at a time works in the folder of a run, and only in one that its command wrote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import (
    CHECKPOINTS,
    CONFIG,
    CONTACT_SHEET,
    DIFFERENCES,
    EXAMPLES,
    HISTORY,
    LOCK,
    RUN,
    SAMPLES,
    SCORES,
    SCORES_CSV,
    STATUS,
)

WRITERS = {
    STATUS: ("train",), CHECKPOINTS: ("train", "train_pose"), DIFFERENCES: ("report",), SCORES: ("evaluate",)
}  # fmt: skip
"""Commands that may have written a folder, by the first of these files that it has."""

WRITTEN = (
    CONFIG, RUN, HISTORY, SAMPLES, SCORES_CSV, CONTACT_SHEET, EXAMPLES, "table.md", "table.csv", "table.tex",
    "cost.tex", "groups.md", "groups.csv", "seeds.md", "curves.png", "curves.pdf",
)  # fmt: skip
"""What these commands write besides."""


class FolderTakenError(InputError):
    """Another process works in the folder, and it alone reports what becomes of it."""


def check_own(folder: Path, command: str, key: str = "hydra.run.dir") -> None:
    """Raise `InputError` if a folder holds what another command wrote, or files of the user that `command` replaces."""
    writers = next((commands for mark, commands in WRITERS.items() if (folder / mark).exists()), None)
    if writers is None:
        foreign = [name for name in WRITTEN if (folder / name).exists()]
        if foreign:
            raise InputError(f"{key}={folder}: has a {foreign[0]} that {command} didn't write; choose another folder")
    elif command not in writers:
        raise InputError(f"{key}={folder}: holds what {' or '.join(writers)} wrote; choose another folder")


@contextmanager
def locked(folder: Path, key: str = "hydra.run.dir", *, command: str | None = None, name: str = LOCK) -> Iterator[None]:
    """Lock a folder until the block, or this process, ends. If it was made for that and stays empty, it is removed.

    The lock file holds the process number of the owner. Its presence says nothing: the operating system releases the
    lock when the process ends, however it ends.

    Args:
        folder: Folder to lock.
        key: Setting that named the folder, for messages.
        command: Command that will write to the folder, which `check_own` then checks; None: no check.
        name: Name of the lock file, for a lock of less than the folder.

    Raises:
        FolderTakenError: Another process has locked it.
        InputError: It can't be made, isn't the command's own, or the file system has no locks.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{key}={folder}: can't be written ({error.strerror}); choose another folder") from error
    path = folder / name
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
        if command is not None:
            check_own(folder, command, key)
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            path.unlink()
        lock.release()
        with suppress(OSError):  # a folder that isn't empty stays
            for each in made:
                each.rmdir()
