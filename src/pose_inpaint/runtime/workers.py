"""Processes that depend on this one: ranks end with their parent, readers with their run."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
import time
from functools import cache

from pose_inpaint.runtime.signals import handle_requests


def end_with_parent() -> None:
    """Has this process end when the one that started it is gone, also from within a call that never returns.

    Such calls are a collective of which another rank is missing, and a queue that nobody reads any more.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    parent = os.getppid()
    if hasattr(signal, "SIGKILL"):
        threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def follow_parent(*_: int) -> None:
    """For processes that read images: they end with the one that they read for, which alone heeds requests."""
    handle_requests(signal.SIG_IGN)
    end_with_parent()


@cache
def end_readers_at_exit() -> None:
    """Has readers that a fault left over killed when this process exits.

    `multiprocessing` asks them by SIGTERM, which `follow_parent` has them leave to us, and waits for them without end.
    """
    atexit.register(_kill_readers)


def _kill_readers() -> None:
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
