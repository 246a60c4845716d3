"""`python -m pose_inpaint.predict input=DIR_OR_FILE mask=... output=DIR`: inpaint images."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import PredictSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError, first_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from pose_inpaint.data.input_masks import MaskedPixels
    from pose_inpaint.models.inference import ImageInpainter

Form = Literal["photo", "challenge"]
CHALLENGE_SIZE = 128  # pixels; from the authors' code
SHORT = {"mask": "mask.source", "output": "output.dir"}


def main() -> None:
    """Run the command; exit with status 1 if an image had to be skipped."""
    run_command("predict", run, SHORT)


def run(config: DictConfig) -> None:
    """Inpaint the configured images; report and skip images that fail.

    Raises:
        InputError: Invalid setting, or no usable input, mask or output folder.
    """
    from tqdm import tqdm

    from pose_inpaint.data.input_masks import masked_pixels
    from pose_inpaint.evaluation.candidates import build_image_inpainter
    from pose_inpaint.runtime.devices import choose_device, is_out_of_memory
    from pose_inpaint.types import check_choice

    settings = read_settings(config, PredictSettings)
    check_choice("output.form", settings.output.form, Form)
    challenge = settings.output.form == "challenge"
    as_raw = challenge if settings.output.raw is None else settings.output.raw
    scale = settings.scale or (CHALLENGE_SIZE if challenge else "native" if as_raw else "auto")
    if as_raw and scale == "auto":
        raise InputError("scale=auto: gives composites; for output.raw=true give scale=native or scale=N")
    model = settings.model
    if model is None and settings.checkpoint is None:
        model = {"_target_": "pose_inpaint.models.pretrained.Pretrained"}
    images = build_image_inpainter(model, settings.checkpoint, settings.postprocess, choose_device(settings.device))
    masked = masked_pixels(settings.mask.source, invert=settings.mask.invert)
    jobs = plan(settings.input, Path(settings.output.dir))
    others = other_files(settings.input, Path(settings.output.dir))
    _check_writable(Path(settings.output.dir))
    done = existing = 0
    errors = []
    for name, source, target in tqdm(jobs, desc="Inpainting", unit="image", leave=False, disable=None):
        try:
            if os.path.lexists(target):
                check_own(target)
                if not settings.output.overwrite:
                    existing += 1
                    continue
            _inpaint_file(images, name, source, target, masked, scale, as_raw=as_raw)
            done += 1
        except Exception as error:
            reason = str(error) if name in str(error) else f"{source}: {first_line(error)}"
            if is_out_of_memory(error):
                reason = (
                    f"{source}: out of memory ({first_line(error)}); give scale=auto or scale=N, or a smaller image"
                )
            elif not isinstance(error, InputError | OSError):
                raise
            errors.append(reason)
            tqdm.write(f"skipped: {reason}", file=sys.stderr)
    if others:
        print(f"not images, left out: {', '.join(others)}", file=sys.stderr)
    left_out = f", {len(others)} files left out" if others else ""
    print(
        f"{done} images inpainted, {existing} already existed, {len(errors)} skipped{left_out}: {settings.output.dir}"
    )
    if errors:
        raise SystemExit(1)


def plan(source: str, folder: Path) -> list[tuple[str, Path, Path]]:
    """List the name, input file and output file of each image. Outputs are PNG, so known pixels stay exact.

    Images that differ only in their extension keep it: a.jpg.png beside a.tif.png.

    Raises:
        InputError: No image, two images with the same output file, or outputs among the inputs.
    """
    from pose_inpaint.data.images import list_images, stem

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
    stems = Counter(map(stem, images))
    for name, file in images.items():
        target = folder / f"{stem(name) if stems[stem(name)] == 1 else name}.png"
        if target in targets:
            raise InputError(
                f"input={source}: {targets[target]} and {name} would both be written to {target}; rename one"
            )
        if target.exists() and target.samefile(file):
            raise InputError(f"output={folder}: {name} would be written over itself; give another folder")
        targets[target] = name
    return [(name, images[name], target) for target, name in targets.items()]


def other_files(source: str, folder: Path) -> list[str]:
    """List the files of the input folder that aren't images by their extension, without hidden and JSON files."""
    from pose_inpaint.data.images import list_others

    return [name for name, file in list_others(Path(source)).items() if not _within(file, folder)]


def _within(file: Path, folder: Path) -> bool:
    """Whether a file is in the output folder: an earlier run's outputs are not inputs."""
    return folder.resolve() in file.resolve().parents


def check_own(target: Path) -> None:
    """Raise `InputError` if an existing output file is not one that this command wrote."""
    from pose_inpaint.data.images import is_own_image

    if target.is_symlink() or not target.is_file() or not is_own_image(target):
        raise InputError(f"{target}: exists, and was not written by predict; move it, or give another output folder")


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"output={folder}: can't be written ({error.strerror}); give another folder") from error


def _inpaint_file(
    images: ImageInpainter,
    name: str,
    source: Path,
    target: Path,
    masked: MaskedPixels,
    scale: int | str,
    *,
    as_raw: bool,
) -> None:
    from PIL import Image

    from pose_inpaint.data.images import read_photo, save_image, to_image

    photo = read_photo(source)
    holes = masked(name, photo)
    size = scale if isinstance(scale, int) else None
    if as_raw:
        output = to_image(images.raw(photo.pixels, holes, size)[0])
    else:
        output = to_image(images.composite(photo.pixels, holes, size, whole=scale == "native")[0])
    if photo.alpha is not None and not as_raw:
        alpha = photo.alpha.masked_fill(holes, 255)
        if (alpha < 255).any():  # what was transparent beside the holes stays so
            output.putalpha(Image.fromarray(alpha.numpy()))
    save_image(output, target, **photo.info)


if __name__ == "__main__":
    main()
