"""Inspection of a split: read every file and report problems, for `verify` and before training."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pose_inpaint.data.dataset import read_record
from pose_inpaint.data.masks import Masks
from pose_inpaint.data.records import Record
from pose_inpaint.data.sources import Source
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.files import written_whole

CACHE_VERSION = 2
"""Increased whenever `Inspection` or what it measures changes, so that older cached results aren't read."""


@dataclass(frozen=True)
class Inspection:
    """Result of inspecting a split.

    Attributes:
        split: "train", "val" or "test".
        images: Number of listed images.
        blind: Number of images without an original.
        digest: SHA-256 of names, file contents and masks, in hexadecimal.
        mask_ratios: Mask ratio of each valid image at the network's resolution, in (0, 1).
        problems: One line per problem.
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
    """Read every image and mask of a split.

    Args:
        source: Data set.
        masks: Masks to use.
        size: Side of the network's images in pixels.
        split: "train", "val" or "test".
        on_image: Callback after each image, for progress.
    """
    listing = source.listing(split, maskdata=masks.uses_maskdata(split))

    def look(record: Record) -> tuple[str, float | None, str | None]:
        try:
            batch = read_record(record, masks, size, epoch=None)
            ratio = float(batch.mask.mean())
            problem = f"{record.path}: its mask covers {'nothing' if ratio == 0 else 'the whole image'}; change it"
            return _digest(record, batch.mask.numpy().tobytes()), ratio, problem if ratio in (0, 1) else None
        except InputError as error:
            return "", None, str(error)
        finally:
            if on_image:
                on_image()

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding releases the GIL
        looks = list(pool.map(look, listing.records))
    problems = [problem for _, _, problem in looks if problem]
    if listing.problems:  # these already name the entries missing from maskdata.json
        problems = [problem for problem in problems if "maskdata.json has no entry" not in problem]
    return Inspection(
        split=split,
        images=len(listing.records),
        blind=sum(record.original is None for record in listing.records),
        digest=hashlib.sha256("".join(digest for digest, _, _ in looks).encode()).hexdigest(),
        mask_ratios=[ratio for _, ratio, problem in looks if ratio is not None and not problem],
        problems=[*listing.problems, *problems],
    )


def _digest(record: Record, mask: bytes) -> str:
    digest = hashlib.sha256(record.name.encode())
    for path in (record.original, record.masked):
        digest.update(path.read_bytes() if path else b"-")
    digest.update(mask)
    return digest.hexdigest()


def check_sound(inspections: Sequence[Inspection]) -> None:
    """Raise `InputError` with the first problem and the number of others, if there is any."""
    problems = [problem for inspection in inspections for problem in inspection.problems]
    if problems:
        more = f" (and {len(problems) - 1} more: python -m pose_inpaint.verify lists them)" if problems[1:] else ""
        raise InputError(problems[0] + more)


def inspect_once(source: Source, masks: Masks, size: int, split: str) -> Inspection:
    """Call `inspect` and cache a result without problems until the size or time of a file changes."""
    parts = (f"{type(part).__name__} {sorted(vars(part).items())}" for part in (source, masks))
    settings = [CACHE_VERSION, split, size, *parts]
    fingerprint = hashlib.sha256(json.dumps(settings, default=str).encode())
    for path in _files(*source.paths, *masks.paths):
        status = path.stat()
        fingerprint.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    cached = cache_folder() / "inspected" / f"{fingerprint.hexdigest()}.json"
    with suppress(OSError, ValueError, TypeError):  # missing or damaged: inspect again
        return Inspection(**json.loads(cached.read_text(encoding="utf-8")))
    inspection = inspect(source, masks, size, split)
    if not inspection.problems:
        _save(inspection, cached)
    return inspection


def _files(*paths: Path) -> list[Path]:
    return sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _save(inspection: Inspection, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_text(json.dumps(asdict(inspection)), encoding="utf-8")
    except OSError:
        return  # without a cache, the next run inspects again
