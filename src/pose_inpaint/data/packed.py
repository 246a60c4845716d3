"""Decoded images in one file of the user's cache, which all processes that read them map into memory."""

import os
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from filelock import FileLock
from jaxtyping import UInt8
from torch import Tensor
from tqdm import tqdm

from pose_inpaint.data.images import Resizing
from pose_inpaint.data.records import Record
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.files import PART, written_whole
from pose_inpaint.runtime.hashing import text_digest
from pose_inpaint.runtime.ranks import this_rank

VERSION = 1  # increase it whenever the file's layout or the pixels change, so that older files aren't read
DECODED_AHEAD = 256  # images in memory while a file is built
UNUSED = 30 * 86400  # seconds after which a file that no run has opened is removed
CHECKSUM = 4  # bytes

Decoded = tuple[UInt8[Tensor, "3 s s"], tuple[int, int]]
"""Image at the network's resolution, and the height and width of its file in pixels."""


class PackedImages:
    """Decoded images, read by index from a file that each process maps into memory.

    Args:
        path: File that `pack` wrote; its stem is the key.
        count: Number of images.
        size: Side of the images in pixels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or cut short, or holds other images.
    """

    def __init__(self, path: Path, count: int, size: int) -> None:
        self.path, self.count, self.size = path, count, size
        layout = _layout(size)
        if path.stat().st_size != count * layout.itemsize + CHECKSUM:
            raise ValueError("another length")
        self._map()
        with path.open("rb") as file:
            file.seek(-CHECKSUM, os.SEEK_END)
            checksum = int.from_bytes(file.read(), "little")
        if zlib.crc32(self._rows.view(np.uint8).data, zlib.crc32(path.stem.encode())) != checksum:
            raise ValueError("another checksum")
        with suppress(OSError):
            os.utime(path)  # in use

    def _map(self) -> None:
        self._rows = np.memmap(self.path, _layout(self.size), mode="r", shape=(self.count,))

    def __getstate__(self) -> tuple[Path, int, int]:  # NumPy would send the pixels
        return self.path, self.count, self.size

    def __setstate__(self, state: tuple[Path, int, int]) -> None:
        self.path, self.count, self.size = state
        self._map()

    def read(self, indices: Sequence[int]) -> tuple[UInt8[Tensor, "b 3 s s"], list[tuple[int, int]]]:
        """Copy some images, and the height and width of their files in pixels."""
        rows = self._rows[list(indices)]
        shapes = zip(rows["height"].tolist(), rows["width"].tolist(), strict=True)
        return torch.from_numpy(rows["pixels"]), list(shapes)


def _layout(size: int) -> np.dtype:
    return np.dtype([("height", "<i4"), ("width", "<i4"), ("pixels", "u1", (3, size, size))])


def pack(
    records: Sequence[Record], size: int, resizing: Resizing, decode: Callable[[Record], Decoded], split: str
) -> PackedImages | None:
    """Open the file of decoded images, building it if there is none that is sound; None if that isn't possible.

    Several processes may call this at a time: one builds, the others wait for it.

    Args:
        records: Images.
        size: Side in pixels.
        resizing: Method of `resize`.
        decode: Function that decodes a record; it is called in threads.
        split: Name of the images, for messages.

    Raises:
        InputError: `decode` raises it.
    """
    folder = cache_folder() / "packed"
    try:
        path = folder / f"{find_key(records, size, resizing)}.bin"
    except OSError:
        return None  # a file is missing: decoding reports it by name
    with suppress(OSError, ValueError):
        return PackedImages(path, len(records), size)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The lock's file stays: a process that waits for it, and one that made another, would both hold a lock.
        with FileLock(path.with_suffix(".lock"), fallback_to_soft=False):
            return _open_or_build(path, records, size, decode, split)
    except (OSError, NotImplementedError) as error:
        _warn(f"{folder}: can't be written ({getattr(error, 'strerror', None) or error})", split)
        return None


def find_key(records: Sequence[Record], size: int, resizing: Resizing) -> str:
    """Return a digest of everything that decoded pixels depend on; raise `OSError` if a file is missing.

    A file's path, size, and times of modification and of change stand for its content, which isn't read: every write
    sets the latter, which no program can set back.

    Args:
        records: Images.
        size: Side in pixels.
        resizing: Method of `resize`.
    """
    # PyTorch resizes 8-bit images with or without AVX2, and rounds differently.
    libraries = (PIL.__version__, torch.__version__, torchvision.__version__, torch.backends.cpu.get_cpu_capability())
    parts: list[object] = [VERSION, size, resizing, *libraries]
    for record in records:
        for path in filter(None, (record.original, record.masked)):
            status = path.stat()
            parts += [path.absolute(), status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        parts += [record.original is None, record.blocks if record.original and record.masked else None]
    return text_digest(*parts)


def _open_or_build(
    path: Path, records: Sequence[Record], size: int, decode: Callable[[Record], Decoded], split: str
) -> PackedImages | None:
    """Open a file, which another process may have finished by now, or build it. This process has its lock."""
    try:
        return PackedImages(path, len(records), size)
    except FileNotFoundError:
        pass
    except ValueError as error:
        print(f"warning: {path}: damaged ({error}); decoding the images of {split} again", file=sys.stderr, flush=True)
    _remove_unused(path)
    needed, free = len(records) * _layout(size).itemsize + CHECKSUM, shutil.disk_usage(path.parent).free
    if needed > free / 2:  # a run's checkpoints may have to fit on the same disk
        _warn(f"{path.parent}: {_giga(needed)} for decoded images is over half of the {_giga(free)} free", split)
        return None
    _build(path, records, size, decode, split)
    return PackedImages(path, len(records), size)


def _build(path: Path, records: Sequence[Record], size: int, decode: Callable[[Record], Decoded], split: str) -> None:
    checksum = zlib.crc32(path.stem.encode())
    row = np.zeros(1, _layout(size))
    bar = tqdm(desc=f"Decoding {split}", total=len(records), unit="image", leave=False, disable=None, delay=1)
    # Written with calls that report a full disk: a write to a memory map would kill the process.
    pool = ThreadPoolExecutor(os.cpu_count())  # decoding releases the GIL
    with bar, pool, written_whole(path, synced=True) as part, part.open("wb") as file:
        for start in range(0, len(records), DECODED_AHEAD):
            for pixels, (height, width) in pool.map(decode, records[start : start + DECODED_AHEAD]):
                row["pixels"], row["height"], row["width"] = pixels.numpy(), height, width
                content = row.tobytes()
                checksum = zlib.crc32(content, checksum)
                file.write(content)
                bar.update()
        file.write(checksum.to_bytes(CHECKSUM, "little"))


def _remove_unused(path: Path) -> None:
    """Remove what a killed process left of a file, and files of the cache that no run has opened for long."""
    for part in path.parent.glob(f".{path.name}.*{PART}"):
        part.unlink(missing_ok=True)
    for other in path.parent.iterdir():
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > UNUSED:
                other.unlink()


def _warn(reason: str, split: str) -> None:
    if this_rank() == 0:
        way_out = "free space, set POSE_INPAINT_CACHE=DIR, or data.packed=false"
        print(f"warning: {reason}; {split} is read from its files in each epoch ({way_out})", file=sys.stderr)


def _giga(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
