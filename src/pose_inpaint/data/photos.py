"""Photos: an image file with what its inpainted copy keeps, and the file of that copy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, PngImagePlugin
from torch import Tensor

from pose_inpaint.data.images import DAMAGED, find_alpha, reading, to_rgb, to_tensor
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import written_whole

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""Pillow's name of each format that is written, by extension."""
SOFTWARE = "pose_inpaint"  # PNG text and EXIF tag of the files that are written

Base, IFD = ExifTags.Base, ExifTags.IFD
DESCRIPTIVE = (
    Base.ImageDescription, Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.HostComputer, Base.Copyright,
    Base.Rating, Base.RatingPercent, Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)  # fmt: skip
"""EXIF tags that are still true of another file, unlike orientation, thumbnail and the layout of a TIFF's pixels."""
BOUND = (Base.MakerNote, IFD.Interop)
"""Blocks that hold offsets within their file, and maybe a preview of what is to be inpainted."""


@dataclass(frozen=True)
class Photo:
    """An image file with what its inpainted copy keeps.

    Attributes:
        pixels: Colours, 0..255, (3, h, w).
        alpha: Opacity, 0..255, (h, w); None if all pixels are opaque.
        info: Arguments of `save_photo` for the profile of an RGB image, the resolution, and the EXIF data.
        left_out: What of the file is not in the rest, for messages, such as the other frames of an animation.
    """

    pixels: UInt8[Tensor, "3 h w"]
    alpha: UInt8[Tensor, "h w"] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_photo(path: Path) -> Photo:
    """Read an image as `open_image` does, with its alpha channel, ICC profile, resolution and EXIF data."""
    left_out = []
    with reading(path) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format not in ("MPO", "HEIF"):  # a camera's small or depth image beside the photo
            left_out.append(f"only the first of its {frames} frames is used")
        try:
            exif = _kept_exif(image.getexif())
            exif.tobytes()
        except DAMAGED as error:
            left_out.append(f"its EXIF data can't be copied ({error})")
            exif = Image.Exif()
        image.load()
        upright = ImageOps.exif_transpose(image)
        if IFD.Exif in exif:
            size = dict(zip((Base.ExifImageWidth, Base.ExifImageHeight), upright.size, strict=True))
            exif[IFD.Exif] = {**exif[IFD.Exif], **{tag: size[tag] for tag in size if tag in exif[IFD.Exif]}}
        alpha = find_alpha(upright)
        opaque = alpha is None or bool((alpha == 255).all())
        opacity = None if opaque else torch.from_numpy(alpha)
        info = {**kept_info(upright), **({"exif": exif} if exif else {})}
        return Photo(to_tensor(to_rgb(upright)), opacity, info, tuple(left_out))


def _kept_exif(exif: Image.Exif) -> Image.Exif:
    kept = Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for block in (IFD.Exif, IFD.GPSInfo):
        if values := {tag: value for tag, value in exif.get_ifd(block).items() if tag not in BOUND}:
            kept[block] = values
    return kept


def kept_info(image: Image.Image) -> dict[str, Any]:
    """Return the profile, if it is one of RGB, and the resolution of an image, as arguments of Pillow's `save`."""
    info = {}
    profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
    if profile and profile[16:20] == b"RGB ":  # the output is RGB, whatever the input was
        info["icc_profile"] = profile
    if dpi and all(math.isfinite(value) and value > 1 for value in dpi):  # Pillow gives 1 where a TIFF says nothing
        info["dpi"] = tuple(map(float, dpi))
    return info


def save_photo(
    image: Image.Image, path: Path, *, quality: int = 95, exif: Image.Exif | None = None, **info: Any
) -> None:
    """Write an image atomically, in the format of the path's extension, so that `is_own_image` knows it.

    Args:
        image: Image of mode RGB or RGBA.
        path: File to write; its extension is in `FORMATS`.
        quality: Quality of JPEG and WebP, 1 to 100.
        exif: EXIF data to write.
        info: Further arguments of Pillow's `save`.

    Raises:
        InputError: The format can't hold the image.
    """
    kind = FORMATS[path.suffix.lower()]
    if kind == "JPEG" and image.mode == "RGBA":
        raise InputError("has transparent pixels outside its holes, which JPEG can't store; give output.suffix=png")
    tags = Image.Exif()
    tags.update(exif or {})
    tags[Base.Software] = SOFTWARE
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Software", SOFTWARE)
        # On photos, levels above 1 take two to four times as long and save 5 % of the bytes at most.
        options: dict[str, Any] = {"pnginfo": text, "compress_level": 1, **({"exif": tags.tobytes()} if exif else {})}
    elif kind == "TIFF":
        blocks = IFD.Exif in tags or IFD.GPSInfo in tags  # which Pillow can't write into a compressed TIFF
        options = {"exif": tags.tobytes(), "compression": "raw" if blocks else "tiff_adobe_deflate"}
    else:
        if kind == "WEBP" and "dpi" in info:  # has no other place for it
            tags[Base.XResolution], tags[Base.YResolution] = info["dpi"]
            tags[Base.ResolutionUnit] = 2  # inches
        options = {"exif": tags.tobytes(), "quality": quality, **({"subsampling": 0} if kind == "JPEG" else {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        try:
            image.save(part, format=kind, **options, **info)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk
                raise
            raise InputError(f"can't be written as {kind} ({error}); give output.suffix=png") from error


def is_own_image(path: Path) -> bool:
    """Whether a file is an image that `save_photo` wrote, and that no other program has written since."""
    try:
        with Image.open(path) as image:
            return SOFTWARE in (image.info.get("Software"), image.getexif().get(Base.Software))
    except DAMAGED:
        return False
