"""Ranks and data loader workers that must not outlive their parent process."""

import atexit
import multiprocessing
import os
import signal
import threading
import time
from functools import cache

from pose_inpaint.runtime.signals import handle_requests


def end_with_parent(parent: int | None = None) -> None:
    """Kill this process as soon as its parent is gone, even inside a call that never returns.

    Args:
        parent: Process id of the parent, as it handed it over: it may be gone by now. None: the parent at this moment.
    """

    def watch() -> None:
        while os.getppid() == parent:  # orphans are adopted by another process, so the id changes
            time.sleep(0.5)
        # SIGKILL, since Python runs no signal handler while the main thread blocks in C: in a collective that waits for
        # a lost rank, or on a queue that is no longer read.
        os.kill(os.getpid(), signal.SIGKILL)

    parent = os.getppid() if parent is None else parent
    if hasattr(signal, "SIGKILL"):  # Windows has neither SIGKILL nor adoption
        threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def follow_parent(*_: int) -> None:
    """Initialise a data loader worker: ignore stop signals, and exit with the parent."""
    # Ctrl-C and cluster managers signal the whole group. Workers that stopped by themselves would make the training
    # process fail before it has saved its checkpoint.
    handle_requests(signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    forked_by_server = multiprocessing.get_start_method() == "forkserver"  # the server's end follows the parent's
    end_with_parent(None if parent is None or forked_by_server else parent.pid)


@cache
def end_readers_at_exit() -> None:
    """Kill data loader workers that are still running when this process exits, as after an error.

    `multiprocessing` sends them SIGTERM, which `follow_parent` ignores, and would then wait for them forever.
    """
    atexit.register(_kill_readers)  # handlers run last in, first out: before that of `multiprocessing`


def _kill_readers() -> None:
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
