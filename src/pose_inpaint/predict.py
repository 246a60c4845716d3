"""`python -m pose_inpaint.predict input=DIR_OR_FILE mask=... output=DIR`: inpaint images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import PredictSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError, first_line

if TYPE_CHECKING:
    import torch
    from omegaconf import DictConfig

    from pose_inpaint.data.images import Resizing
    from pose_inpaint.data.input_masks import MaskedPixels
    from pose_inpaint.types import Inpainter

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
    import torch
    from tqdm import tqdm

    from pose_inpaint.build import build_postprocess
    from pose_inpaint.data.input_masks import masked_pixels
    from pose_inpaint.evaluation.candidates import choose_inpainter
    from pose_inpaint.runtime.devices import choose_device
    from pose_inpaint.types import check_choice

    settings = read_settings(config, PredictSettings)
    check_choice("output.form", settings.output.form, Form)
    challenge = settings.output.form == "challenge"
    size = CHALLENGE_SIZE if challenge and settings.size is None else settings.size
    as_raw = challenge if settings.output.raw is None else settings.output.raw
    device = choose_device(settings.device)
    model = settings.model
    if model is None and settings.checkpoint is None:
        model = {"_target_": "pose_inpaint.models.pretrained.Pretrained"}
    inpainter, checkpoint = choose_inpainter(model, settings.checkpoint, device)
    resizing: Resizing = checkpoint.config["data"].get("resize", "antialias") if checkpoint else "antialias"
    inpainter = build_postprocess(settings.postprocess, inpainter)
    masked = masked_pixels(settings.mask.source, invert=settings.mask.invert)
    jobs = plan(settings.input, Path(settings.output.dir))
    _check_writable(Path(settings.output.dir))
    done = existing = 0
    errors = []
    for name, source, target in tqdm(jobs, desc="Inpainting", unit="image", leave=False, disable=None):
        if target.exists() and not settings.output.overwrite:
            existing += 1
            continue
        try:
            _inpaint_file(inpainter, name, source, target, masked, size, device, resizing, as_raw=as_raw)
            done += 1
        except (InputError, OSError, torch.OutOfMemoryError) as error:
            reason = str(error) if name in str(error) else f"{source}: {first_line(error)}"
            errors.append(reason)
            tqdm.write(f"skipped: {reason}", file=sys.stderr)
    print(f"{done} images inpainted, {existing} already existed, {len(errors)} skipped: {settings.output.dir}")
    if errors:
        raise SystemExit(1)


def plan(source: str, folder: Path) -> list[tuple[str, Path, Path]]:
    """List the name, input file and output file of each image. Outputs are PNG, so known pixels stay exact.

    Raises:
        InputError: No image, or two images with the same output file.
    """
    from pose_inpaint.data.images import list_images

    path = Path(source)
    if path.is_dir():
        images = list_images(path, recursive=True)
        if path.resolve() in folder.resolve().parents:  # an earlier run's outputs are not inputs
            images = {name: file for name, file in images.items() if folder.resolve() not in file.resolve().parents}
    elif path.is_file():
        images = {path.name: path}
    else:
        raise InputError(f"input={source}: no such file or folder")
    if not images:
        raise InputError(f"input={source}: contains no images")
    targets: dict[Path, str] = {}
    for name in images:
        target = (folder / name).with_suffix(".png")
        if target in targets:
            raise InputError(
                f"input={source}: {targets[target]} and {name} would both be written to {target}; rename one"
            )
        targets[target] = name
    return [(name, images[name], target) for target, name in targets.items()]


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"output={folder}: can't be written ({error.strerror}); give another folder") from error


def _inpaint_file(
    inpainter: Inpainter,
    name: str,
    source: Path,
    target: Path,
    masked: MaskedPixels,
    size: int | None,
    device: torch.device,
    resizing: Resizing,
    *,
    as_raw: bool,
) -> None:
    import torch

    from pose_inpaint.data.images import read_image, save_image, to_image
    from pose_inpaint.models.inference import inpaint_image

    image = read_image(source)
    holes = masked(name, image)
    raw = inpaint_image(inpainter, image, holes, size, device, resizing)
    save_image(to_image(raw if as_raw else torch.where(holes, raw, image)), target)


if __name__ == "__main__":
    main()
