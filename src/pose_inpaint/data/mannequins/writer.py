"""Write mannequins to a folder in the layout of the challenge."""

import itertools
import json
import math
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from pose_inpaint.data.mannequins.chance import stream, uniform
from pose_inpaint.data.mannequins.scene import draw
from pose_inpaint.data.mannequins.skeleton import MPII_JOINTS
from pose_inpaint.errors import InputError

VERSION = 1  # increase it whenever the images change, so that old caches are not used
SPLITS = ("train", "val", "test")
MOST_HIDDEN = 0.66  # largest mask ratio
LARGEST_SIDE = 0.8  # largest side of a square relative to the image's, so that one masks at most 0.64
CHUNK = 8  # images per task of a worker
FEWEST_FOR_POOL = 32  # for fewer images, starting workers takes longer than drawing

Joints = list[list[float]]
Square = list[int]


def prepare(
    cache: Path,
    *,
    counts: dict[str, int],
    size: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Return the folder of mannequins in the cache, drawing them first if necessary.

    Pixels and JSON files depend on seed, size and counts alone; the bytes of the PNG files also depend on zlib.

    Outside Linux, workers are spawned and import the calling script, which must therefore guard its own work with
    ``if __name__ == "__main__"``.

    Args:
        cache: Folder of all caches, created if necessary.
        counts: Number of images by split: "train", "val" and "test".
        size: Side of the images in pixels.
        seed: Random seed of the data set.
        on_progress: Function called with the number of finished images and the total.

    Returns:
        Folder with ``SPLIT/Y/NAME.png``, ``SPLIT/maskdata.json``, ``SPLIT/joints.json`` and ``about.json``.

    Raises:
        InputError: The cache folder isn't writable.
    """
    numbers = "-".join(str(counts.get(split, 0)) for split in SPLITS)
    root = cache / f"mannequins-v{VERSION}-seed{seed}-size{size}-{numbers}"
    if (root / "about.json").is_file():
        return root
    try:
        cache.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=cache))
    except OSError as error:
        raise _unwritable(cache, error) from error
    try:
        _write(building, counts, size, seed, on_progress)
        building.chmod(0o755)  # mkdtemp creates private folders
        _publish(building, root)
    except OSError as error:
        raise _unwritable(cache, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return root


def _unwritable(cache: Path, error: OSError) -> InputError:
    reason = error.strerror or type(error).__name__
    return InputError(f"{cache}: cannot write to the cache ({reason}); set data.source.cache to a writable folder")


def _publish(building: Path, root: Path) -> None:
    """Rename the finished folder, unless another process has finished the same one first."""
    try:
        building.rename(root)
    except OSError:
        if not (root / "about.json").is_file():
            raise


def _write(
    root: Path, counts: Mapping[str, int], size: int, seed: int, on_progress: Callable[[int, int], None] | None
) -> None:
    for split in SPLITS:
        (root / split / "Y").mkdir(parents=True)
    jobs = [(root / split / "Y", seed, index, size) for split, index in _numbered(counts)]
    squares: dict[str, dict[str, list[Square]]] = {split: {} for split in SPLITS}
    joints: dict[str, dict[str, Joints]] = {split: {} for split in SPLITS}
    for done, (split, name, marks) in enumerate(_drawn(jobs), start=1):
        squares[split][name] = draw_squares(seed, jobs[done - 1][2], size)
        joints[split][name] = marks
        if on_progress is not None:
            on_progress(done, len(jobs))
    for split in SPLITS:
        _save_json(root / split / "maskdata.json", squares[split])
        _save_json(root / split / "joints.json", {"joint_names": list(MPII_JOINTS), "joints": joints[split]})
    about = {"generator": "mannequins", "version": VERSION, "seed": seed, "size": size}
    _save_json(root / "about.json", {**about, "counts": {split: counts.get(split, 0) for split in SPLITS}})


def _numbered(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield split and index of each image; indices continue across splits."""
    index = itertools.count()
    for split in SPLITS:
        for _ in range(counts.get(split, 0)):
            yield split, next(index)


def _drawn(jobs: list[tuple[Path, int, int, int]]) -> Iterator[tuple[str, str, Joints]]:
    """Draw and save all images in order, on all processors if there are enough images."""
    workers = os.cpu_count() or 1
    if workers == 1 or len(jobs) < FEWEST_FOR_POOL:
        yield from map(_draw_one, jobs)
        return
    # A spawned worker imports the calling command, including PyTorch, which takes longer than drawing a few hundred
    # images. A forked worker lacks PyTorch's threads, but drawing uses neither PyTorch nor BLAS.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_draw_one, jobs, chunksize=CHUNK)


def _draw_one(job: tuple[Path, int, int, int]) -> tuple[str, str, Joints]:
    folder, seed, index, size = job
    mannequin = draw(seed, index, size)
    name = f"mannequin_{index:06d}.png"
    Image.fromarray(mannequin.image).save(
        folder / name, format="PNG", compress_level=1
    )  # noise compresses poorly at any level
    joints = [[round(x, 1), round(y, 1), int(seen)] for x, y, seen in mannequin.joints.tolist()]
    return folder.parent.name, name, joints


def draw_squares(seed: int, index: int, size: int) -> list[Square]:
    """Draw the squares that mask parts of one image.

    Args:
        seed: Random seed of the data set.
        index: Index of the image.
        size: Side of the image in pixels.

    Returns:
        1 to 7 squares [row, column, side] inside the image with a mask ratio of 3 % to 66 %, 25 % on average.
    """
    rng = stream(seed, index, 1)
    goal = 0.03 + uniform(rng, 0.0, 0.24) + uniform(rng, 0.0, 0.24)
    number = 1 + int(rng.integers(7))
    squares: list[Square] = []
    covered = np.zeros((size, size), dtype=np.bool_)
    for remaining in range(number, 0, -1):
        want = max(goal * size * size - np.count_nonzero(covered), 0.0) / remaining * uniform(rng, 0.7, 1.4)
        side = min(max(int(math.sqrt(want)), size // 6), int(LARGEST_SIDE * size))
        row, column = (int(rng.integers(size - side + 1)) for _ in range(2))
        added = covered.copy()
        added[row : row + side, column : column + side] = True
        if np.count_nonzero(added) <= MOST_HIDDEN * size * size:
            covered = added
            squares.append([row, column, side])
    return squares


def _save_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
