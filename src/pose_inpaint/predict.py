"""`python -m pose_inpaint.predict input=DIR_OR_FILE mask=... output=DIR`: inpaint images."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import PredictSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError, first_line

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor

    from pose_inpaint.evaluation.photo_files import Inpaint

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
    from PIL import Image
    from tqdm import tqdm

    from pose_inpaint.data.images import describe_others, to_image
    from pose_inpaint.data.input_masks import masked_pixels
    from pose_inpaint.data.photo_folder import check_writable, exists, other_files, plan
    from pose_inpaint.data.photos import read_photo, save_photo
    from pose_inpaint.evaluation.photo_files import PhotoFile, inpaint_files
    from pose_inpaint.runtime.devices import is_out_of_memory

    settings = read_settings(config, PredictSettings)
    output, preview = settings.output, settings.preview
    as_raw, together, inpaint = _preview() if preview else _method(settings)
    masks = settings.mask
    masked = masked_pixels(masks.source, invert=masks.invert, pixels=masks.grow, fit=masks.fit)  # type: ignore[arg-type]
    jobs = plan(settings.input, Path(output.dir), "preview.png" if preview else output.suffix)
    others = other_files(settings.input, Path(output.dir))
    check_writable(Path(output.dir))
    done = existing = 0
    errors: list[str] = []
    say = partial(tqdm.write, file=sys.stderr)
    bar = tqdm(total=len(jobs), desc="Inpainting", unit="image", leave=False, disable=None)

    def read(file: PhotoFile) -> None:
        if exists(file.target) and not output.overwrite and not preview:
            return
        file.photo = read_photo(file.source)
        file.holes = masked(file.name, file.photo)

    def write(file: PhotoFile) -> None:
        nonlocal done, existing
        bar.update()
        for note in file.photo.left_out if file.photo else ():
            say(f"{file.source}: {note}")
        try:
            if file.error is not None:
                raise file.error
            if file.photo is None or file.holes is None or file.output is None:
                existing += 1
                return
            image, photo = to_image(file.output), file.photo
            if photo.alpha is not None and not as_raw and not preview:
                alpha = photo.alpha.masked_fill(file.holes, 255)
                if (alpha < 255).any():  # what was transparent beside the holes stays so
                    image.putalpha(Image.fromarray(alpha.numpy()))
            kept = photo.info if output.metadata else {key: photo.info[key] for key in photo.info if key != "exif"}
            save_photo(image, file.target, quality=output.quality, **kept)
            done += 1
        except Exception as error:
            reason = str(error) if file.name in str(error) else f"{file.source}: {first_line(error)}"
            if is_out_of_memory(error):
                reason = (
                    f"{file.source}: out of memory ({first_line(error)}); give scale=auto or scale=N, or a smaller "
                    "image"
                )
            elif not isinstance(error, InputError | OSError):
                raise
            errors.append(reason)
            say(f"skipped: {reason}")

    with bar:
        inpaint_files((PhotoFile(*job) for job in jobs), read, inpaint, write, together)
    if others:
        print(f"not images, left out: {describe_others(others)}", file=sys.stderr)
    left_out = f", {len(others)} files left out" if others else ""
    verb = "previewed" if preview else "inpainted"
    print(f"{done} images {verb}, {existing} already existed, {len(errors)} skipped{left_out}: {output.dir}")
    if errors:
        raise SystemExit(1)


def _preview() -> tuple[bool, int, Inpaint]:
    """Build what a preview shows in place of outputs, as `_method` does."""
    from pose_inpaint.data.input_masks import draw_mask

    return False, 1, lambda images: [draw_mask(*image) for image in images]


def _method(settings: PredictSettings) -> tuple[bool, int, Inpaint]:
    """Build the method: whether it gives raw outputs, for how many images at a time, and the function that does."""
    from pose_inpaint.evaluation.candidates import build_image_inpainter
    from pose_inpaint.evaluation.photo_files import TOGETHER
    from pose_inpaint.runtime.devices import choose_device
    from pose_inpaint.types import check_choice

    check_choice("output.form", settings.output.form, Form)
    challenge = settings.output.form == "challenge"
    as_raw = challenge if settings.output.raw is None else settings.output.raw
    scale = settings.scale or (CHALLENGE_SIZE if challenge else "native" if as_raw else "auto")
    if as_raw and scale == "auto":
        raise InputError("scale=auto: gives composites; for output.raw=true give scale=native or scale=N")
    feather = settings.mask.feather
    if as_raw and feather:
        raise InputError(f"mask.feather={feather}: fades composites into the image; leave it out for raw output")
    model = settings.model
    if model is None and settings.checkpoint is None:
        model = {"_target_": "pose_inpaint.models.pretrained.Pretrained"}
    method = build_image_inpainter(model, settings.checkpoint, settings.postprocess, choose_device(settings.device))
    size = scale if isinstance(scale, int) else None

    def inpaint(images: list[tuple[Tensor, Tensor]]) -> list[Tensor | Exception]:
        outputs = method.many(images, size, raw=as_raw, whole=scale == "native", feather=feather)
        return [output if isinstance(output, Exception) else output[0] for output in outputs]

    return as_raw, TOGETHER if method.takes_batches else 1, inpaint


if __name__ == "__main__":
    main()
