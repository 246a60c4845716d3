"""Files that wait in memory, so that no photo is ever on the server's disk."""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class KeptFile:
    """A file and its name."""

    name: str
    content: bytes


class Store:
    """Keep files under keys that can't be guessed.

    Args:
        largest: Most bytes of all files; the oldest are dropped, but never the newest.
        seconds: Age at which a file is dropped, when another is kept or found.
    """

    def __init__(self, largest: int, seconds: float) -> None:
        self.largest, self.seconds = largest, seconds
        self.lock = threading.Lock()
        self.files: OrderedDict[str, tuple[float, KeptFile]] = OrderedDict()

    def keep(self, file: KeptFile) -> str:
        """Keep a file and return its key."""
        key = secrets.token_urlsafe(24)
        with self.lock:
            self.files[key] = (time.monotonic(), file)
            self._drop()
        return key

    def find(self, key: str) -> KeptFile | None:
        """Return a file, or None if it is not kept, or no longer."""
        with self.lock:
            self._drop()
            return self.files[key][1] if key in self.files else None

    def take(self, key: str) -> KeptFile | None:
        """Return a file as `find` does, and drop it."""
        found = self.find(key)
        with self.lock:
            self.files.pop(key, None)
        return found

    def _drop(self) -> None:
        total = sum(len(file.content) for _, file in self.files.values())
        for key, (kept, file) in list(self.files.items()):
            old = time.monotonic() - kept > self.seconds
            if not old and (total <= self.largest or len(self.files) == 1):
                break
            del self.files[key]
            total -= len(file.content)
