"""Hashes of files and text."""

import hashlib
from pathlib import Path


def digest(*parts: object) -> int:
    """First 64 bits of a SHA-256 over the parts; the same on every machine and in every run, unlike `hash`."""
    return int(text_digest(*parts)[:16], 16)


def text_digest(*parts: object) -> str:
    """SHA-256 over the parts, in hexadecimal."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
