"""Sources of images: the challenge's layout, drawn mannequins, or any folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from pose_inpaint.config.block_schema import SPLITS, check_at_least
from pose_inpaint.data.images import list_images
from pose_inpaint.data.joints import to_common
from pose_inpaint.data.maskdata import Block, read_maskdata
from pose_inpaint.data.records import Joints, Listing, Record
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.hashing import digest


class Source(Protocol):
    """Source of images in splits."""

    paths: tuple[Path, ...]
    """Folders and files that the images are read from."""

    def has(self, split: str) -> bool:
        """Return whether the split exists."""
        ...

    def listing(self, split: str, *, maskdata: bool) -> Listing:
        """List the images of a split; raise `InputError` if a list can't be read.

        Args:
            split: "train", "val" or "test".
            maskdata: Whether every image must have blocks in `maskdata.json`.
        """
        ...


def check_root(root: str | None, key: str = "data.root") -> Path:
    """Return the folder as a path; raise `InputError` if it doesn't exist."""
    if not root:
        raise InputError(f"{key} is missing: give {key}=DIR, the folder of your images")
    if not Path(root).is_dir():
        raise InputError(f"{key}={root}: no such folder")
    return Path(root)


class Chalearn:
    """Challenge layout: `ROOT/SPLIT/{X,Y}/NAME.png`, `ROOT/SPLIT/maskdata.json`, optionally `joints.json`.

    X (masked input) is optional if Y (original) and the blocks exist; Y is optional in a blind test split.

    Args:
        root: Folder ROOT.
        extra: Further folders in the same layout, whose train splits are added to that of ROOT.

    Raises `InputError` if a folder doesn't exist.
    """

    def __init__(self, root: str | None, extra: Sequence[str] = ()) -> None:
        self.root = check_root(root)
        self.extra = [check_root(folder, "data.source.extra") for folder in extra]
        self.paths: tuple[Path, ...] = (self.root, *self.extra)

    def has(self, split: str) -> bool:
        """Return whether ROOT/SPLIT is a folder."""
        return (self.root / split).is_dir()

    def listing(self, split: str, *, maskdata: bool) -> Listing:
        """Pair the images of ROOT/SPLIT, and of the further folders' train splits."""
        listing = self._of_folder(self.root / split, split, maskdata=maskdata)
        for root in self.extra if split == "train" else ():
            more = self._of_folder(root / split, split, maskdata=maskdata)
            known = {record.name for record in listing.records}
            twice = [
                f"{record.path}: {record.name} is in {self.root} too; rename it"
                for record in more.records
                if record.name in known
            ]
            listing = Listing(listing.records + more.records, listing.problems + more.problems + twice)
        return listing

    @staticmethod
    def _of_folder(folder: Path, split: str, *, maskdata: bool) -> Listing:
        if not folder.is_dir():
            return Listing([], [f"{folder}: no such folder; expected {split}/Y/NAME.png and {split}/maskdata.json"])
        originals, masked = list_images(folder / "Y"), list_images(folder / "X")
        names = originals or masked
        if not names:
            return Listing([], [f"{folder}: empty split: no image in {folder / 'Y'} or {folder / 'X'}; add some"])
        problems = _unpaired(folder, originals, masked) if originals and masked else []
        if not originals and split != "test":
            problems.append(f"{folder}: no image in {folder / 'Y'}; only a test split may lack its originals")
        blocks: dict[str, tuple[Block, ...]] = {}
        if maskdata or not originals or (folder / "maskdata.json").is_file():
            blocks, invalid = _read_blocks(folder / "maskdata.json", names, strict=maskdata or not originals)
            problems += invalid
        joints = read_joints(folder / "joints.json")
        records = [
            Record(name, originals.get(name), masked.get(name), blocks.get(name), joints.get(name)) for name in names
        ]
        return Listing(records, problems)


class Mannequins(Chalearn):
    """Embedded data set of drawn people, generated once in the user's cache.

    Args:
        counts: Number of images in train, val and test.
        size: Side of the images in pixels.
        seed: Random seed of the drawings.
        cache: Folder to write to; None: the user's cache folder.
    """

    def __init__(self, counts: dict[str, int], size: int = 128, seed: int = 2018, cache: str | None = None) -> None:
        from pose_inpaint.data.mannequins import prepare

        check_at_least(0, data__source__seed=seed, **{f"data__source__counts__{k}": n for k, n in counts.items()})
        check_at_least(16, data__source__size=size)
        folder = Path(cache) if cache else cache_folder() / "mannequins"
        with tqdm(desc="Drawing mannequins", unit="image", leave=False, disable=None, delay=1) as bar:

            def advance(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            root = prepare(folder, counts=dict(counts), size=size, seed=seed, on_progress=advance)
        super().__init__(str(root))


class Folder:
    """Any folder of images, split by a digest of the file names, so that adding a file moves no other.

    Raises `InputError` if there is no such folder, or the fractions don't sum to 1.

    Args:
        root: Folder of the images, searched recursively.
        fractions: Fractions of train, val and test; they sum to 1.
        maskdata: Blocks for `mask=maskdata`; None: `ROOT/maskdata.json`.
    """

    def __init__(
        self, root: str | None, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1), maskdata: str | None = None
    ) -> None:
        self.root = check_root(root)
        if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
            needed = "must be three fractions for train, val and test that sum to 1"
            raise InputError(f"data.source.fractions={list(fractions)}: {needed}")
        self.fractions = tuple(fractions)
        self.maskdata = Path(maskdata) if maskdata else self.root / "maskdata.json"
        self.paths: tuple[Path, ...] = (self.root, self.maskdata)

    def has(self, split: str) -> bool:
        """Return whether the fraction of the split is positive."""
        return self.fractions[SPLITS.index(split)] > 0

    def listing(self, split: str, *, maskdata: bool) -> Listing:
        """List the images whose name digests fall into the split."""
        every = list_images(self.root, recursive=True)
        names = {name: path for name, path in every.items() if self.split_of(name) == split}
        if not names:
            return Listing([], [f"{self.root}: empty split {split!r}: {len(every)} images in all; add some"])
        blocks: dict[str, tuple[Block, ...]] = {}
        problems: list[str] = []
        if maskdata:
            blocks, problems = _read_blocks(self.maskdata, names, strict=True, others=set(every) - set(names))
        return Listing([Record(name, path, blocks=blocks.get(name)) for name, path in names.items()], problems)

    def split_of(self, name: str) -> str:
        """Return the split of a file name."""
        position, (train, val, _) = digest(name) / 2**64, self.fractions  # the position is in [0, 1)
        return "train" if position < train else "val" if position < train + val else "test"


def _unpaired(folder: Path, originals: dict[str, Path], masked: dict[str, Path]) -> list[str]:
    no_masked = [f"{originals[name]}: no masked image {folder / 'X' / name}" for name in originals.keys() - masked]
    no_original = [f"{masked[name]}: no original {folder / 'Y' / name}" for name in masked.keys() - originals]
    return [f"{line}; add it or remove its partner" for line in sorted(no_masked + no_original)]


def _read_blocks(
    path: Path, names: dict[str, Path], *, strict: bool, others: set[str] | None = None
) -> tuple[dict[str, tuple[Block, ...]], list[str]]:
    """Read the blocks of `names`, and the file's problems; `strict` adds unknown and missing entries."""
    try:
        blocks, invalid = read_maskdata(path)
    except InputError as error:
        return {}, [str(error)]
    listed = {*blocks, *dict(invalid)}
    problems = [f"{path}: {name}: {message}; correct or remove it" for name, message in invalid]
    if strict:
        unknown = sorted(listed - set(names) - (others or set()))
        problems += [f"{path}: lists {name}, which is missing; add the image or remove the entry" for name in unknown]
        problems += [f"{path}: {name} is not listed; add its blocks" for name in names if name not in listed]
    return blocks, problems


def read_joints(path: Path) -> dict[str, Joints]:
    """Read the joints of each image in the order of `pose_inpaint.data.joints.JOINTS`; empty if there is no file.

    Raises:
        InputError: The file is not of the form `{"joint_names": [...], "joints": {NAME: [[x, y, visible], ...]}}`, or
            its set of joints is unknown.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        order = [str(name) for name in content["joint_names"]]
        joints = {
            name: tuple((float(x), float(y), float(v)) for x, y, v in rows) for name, rows in content["joints"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f'{path}: not {{"joint_names": [...], "joints": {{NAME: [[x, y, visible], ...]}}}} ({error}); correct it'
        ) from error
    for name, rows in joints.items():
        if len(rows) != len(order):
            raise InputError(f"{path}: {name} has {len(rows)} joints, expected {len(order)}; correct it")
    if not joints:
        return {}
    try:
        common = to_common(order, torch.tensor(list(joints.values()), dtype=torch.float64))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return {name: tuple(map(tuple, rows)) for name, rows in zip(joints, common.tolist(), strict=True)}
