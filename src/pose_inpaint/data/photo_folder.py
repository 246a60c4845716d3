"""From the photos of a folder to the files of their inpainted copies."""

import os
from collections import Counter
from pathlib import Path, PurePosixPath

from pose_inpaint.data.images import list_images, list_others, stem
from pose_inpaint.data.photos import FORMATS, is_own_image
from pose_inpaint.errors import InputError


def plan(source: str, folder: Path, suffix: str = "png") -> list[tuple[str, Path, Path]]:
    """List the name, input file and output file of each image.

    Images whose outputs would have one name keep their extension: a.jpg.png beside a.tif.png.

    Args:
        source: Image, or folder of images.
        folder: Folder of the outputs.
        suffix: Extension of the outputs without its dot; "same" for that of the image, or png where it isn't written.

    Raises:
        InputError: No image, two images with the same output file, or outputs among the inputs.
    """
    path = Path(source)
    if path.is_dir():
        images = {name: file for name, file in list_images(path, recursive=True).items() if not _within(file, folder)}
        if path.resolve() == folder.resolve():
            raise InputError(f"output={folder}: is the input's folder; give another, so that no photo is replaced")
    elif path.is_file():
        images = {path.name: path}
    else:
        raise InputError(f"input={source}: no such file or folder")
    if not images:
        raise InputError(f"input={source}: contains no images")
    targets: dict[Path, str] = {}
    endings = {name: _ending(name, suffix) for name in images}
    outputs = Counter(stem(name) + endings[name] for name in images)
    for name, file in images.items():
        unique = outputs[stem(name) + endings[name]] == 1
        target = folder / f"{stem(name) if unique else name}{endings[name]}"
        if target in targets:
            raise InputError(
                f"input={source}: {targets[target]} and {name} would both be written to {target}; rename one"
            )
        if target.exists() and target.samefile(file):
            raise InputError(f"output={folder}: {name} would be written over itself; give another folder")
        targets[target] = name
    return [(name, images[name], target) for target, name in targets.items()]


def _ending(name: str, suffix: str) -> str:
    own = PurePosixPath(name).suffix
    return f".{suffix}" if suffix != "same" else own if own.lower() in FORMATS else ".png"


def other_files(source: str, folder: Path) -> list[str]:
    """List the files of the input folder that aren't images by their extension, without hidden and JSON files."""
    return [name for name, file in list_others(Path(source)).items() if not _within(file, folder)]


def _within(file: Path, folder: Path) -> bool:
    """Whether a file is in the output folder: an earlier run's outputs are not inputs."""
    return folder.resolve() in file.resolve().parents


def exists(target: Path) -> bool:
    """Whether there is an output already; raise `InputError` if it is not one that `save_photo` wrote."""
    if not os.path.lexists(target):
        return False
    if target.is_symlink() or not target.is_file() or not is_own_image(target):
        raise InputError(f"{target}: exists, and was not written by predict; move it, or give another output folder")
    return True


def check_writable(folder: Path) -> None:
    """Make the output folder; raise `InputError` if it can't be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"output={folder}: can't be written ({error.strerror}); give another folder") from error
