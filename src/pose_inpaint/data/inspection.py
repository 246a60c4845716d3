"""Reads every file of a split and says what is wrong with it, for the `verify` command and before training."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from pose_inpaint.data.dataset import read_record
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.files import written_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pose_inpaint.data.masks import Masks
    from pose_inpaint.data.records import Record
    from pose_inpaint.data.sources import Source


@dataclass(frozen=True)
class Inspection:
    """What reading a split showed.

    Attributes:
        split: "train", "val" or "test".
        images: how many are listed.
        blind: how many of them have no original.
        digest: SHA-256 over names, file contents and masks, in hexadecimal.
        mask_ratios: the mask ratio of each good image, at the network's resolution.
        problems: one line for each fault.
    """

    split: str
    images: int
    blind: int
    digest: str
    mask_ratios: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect(
    source: Source, masks: Masks, size: int, split: str, on_image: Callable[[], object] | None = None
) -> Inspection:
    """Reads every image and mask of a split.

    Args:
        source: the data set.
        masks: the masks that will be used.
        size: side of the network's images in pixels.
        split: "train", "val" or "test".
        on_image: called after each image, for progress.
    """
    listing = source.listing(split, maskdata=masks.uses_maskdata(split))

    def look(record: Record) -> tuple[str, float | None, str | None]:
        try:
            batch = read_record(record, masks, size, epoch=None)
            share = float(batch.mask.mean())
            fault = f"{record.path}: its mask hides {'nothing' if share == 0 else 'the whole image'}; change it"
            return _digest(record, batch.mask.numpy().tobytes()), share, fault if share in (0, 1) else None
        except InputError as error:
            return "", None, str(error)
        finally:
            if on_image:
                on_image()

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding releases the interpreter's lock
        looks = list(pool.map(look, listing.records))
    faults = [fault for _, _, fault in looks if fault]
    if listing.problems:  # they name what maskdata.json lacks
        faults = [fault for fault in faults if "maskdata.json has no entry" not in fault]
    return Inspection(
        split=split,
        images=len(listing.records),
        blind=sum(record.original is None for record in listing.records),
        digest=hashlib.sha256("".join(digest for digest, _, _ in looks).encode()).hexdigest(),
        mask_ratios=[share for _, share, fault in looks if share is not None and not fault],
        problems=[*listing.problems, *faults],
    )


def _digest(record: Record, mask: bytes) -> str:
    found = hashlib.sha256(record.name.encode())
    for path in (record.original, record.masked):
        found.update(path.read_bytes() if path else b"-")
    found.update(mask)
    return found.hexdigest()


def check_sound(inspections: Sequence[Inspection]) -> None:
    """Raises `InputError` with the first problem, and says how many more there are."""
    problems = [problem for inspection in inspections for problem in inspection.problems]
    if problems:
        more = f" (and {len(problems) - 1} more: python -m pose_inpaint.verify lists them)" if problems[1:] else ""
        raise InputError(problems[0] + more)


def inspect_once(source: Source, masks: Masks, size: int, split: str) -> Inspection:
    """`inspect`, remembered in the user's cache until a file's size or time changes, since large sets take minutes."""
    settings = [split, size, *(f"{type(part).__name__} {sorted(vars(part).items())}" for part in (source, masks))]
    fingerprint = hashlib.sha256(json.dumps(settings, default=str).encode())
    for path in _files(*source.paths, *masks.paths):
        status = path.stat()
        fingerprint.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    memory = cache_folder() / "inspected" / f"{fingerprint.hexdigest()}.json"
    if memory.is_file():
        return Inspection(**json.loads(memory.read_text(encoding="utf-8")))
    found = inspect(source, masks, size, split)
    if not found.problems:
        _remember(found, memory)
    return found


def _files(*paths: Path) -> list[Path]:
    return sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _remember(found: Inspection, memory: Path) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(memory) as part:
            part.write_text(json.dumps(asdict(found)), encoding="utf-8")
    except OSError:
        return  # a cache that can't be written only costs time
