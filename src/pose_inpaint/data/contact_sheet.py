"""Contact sheets: images side by side."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pose_inpaint.data.images import to_bytes, to_image
from pose_inpaint.types import Batch, InpaintingOutput

COLUMNS = ("input", "raw", "composite", "original")
GAP = 4  # pixels between images
LINES, BREAKS = 5, " _-/"  # most lines of a heading, and letters that it may be broken after
SMALLEST = 128  # pixels; narrower images are enlarged by an integer factor


def panels(batch: Batch, output: InpaintingOutput) -> Float[Tensor, "b 4 3 h w"]:
    """Stack the input, raw output, composite and original of each image (first sample only)."""
    originals = batch.target.nan_to_num(-1)
    return torch.stack([batch.known, output.raw[:, 0], output.composite(batch)[:, 0], originals], dim=1)


def break_heading(heading: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Break a heading into lines of at most `width` pixels, if possible after one of `BREAKS`; shorten the last."""
    lines: list[str] = []
    while heading and len(lines) < LINES:
        end = next((n for n in range(len(heading), 1, -1) if font.getlength(heading[:n].rstrip()) <= width), 1)
        if end < len(heading):
            end = max((n for n in range(1, end + 1) if heading[n - 1] in BREAKS), default=end)
        lines.append(heading[:end].rstrip())
        heading = heading[end:].lstrip()
    if heading:
        cuts = (lines[-1][:end] + "..." for end in range(len(lines[-1]), 0, -1))
        lines[-1] = next((cut for cut in cuts if font.getlength(cut) <= width), lines[-1])
    return lines


def draw_contact_sheet(
    rows: Float[Tensor, "r c 3 h w"], columns: Sequence[str] = COLUMNS, captions: Sequence[str] = ()
) -> Image.Image:
    """Draw a grid of images with a heading above each column and, if given, a caption above each row."""
    scale = max(1, SMALLEST // rows.shape[-1])
    images = to_bytes(rows.float().cpu()).repeat_interleave(scale, dim=-1).repeat_interleave(scale, dim=-2)
    count, width, _, height, breadth = images.shape
    letters = max(10, min(14, breadth // 8))
    font, line = ImageFont.load_default(size=letters), letters + 6
    caption = line if captions else 0
    headings = [break_heading(heading, breadth, font) for heading in columns]
    head = line * max(map(len, headings))
    sheet = Image.new("RGB", (width * (breadth + GAP) + GAP, head + count * (height + GAP + caption) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(headings):
        for number, text in enumerate(lines):
            draw.text((GAP + column * (breadth + GAP), 2 + number * line), text, fill="black", font=font)
    for row in range(count):
        top = head + row * (height + GAP + caption)
        if captions:
            draw.text((GAP, top + 2), captions[row], fill="black", font=font)
        for column in range(width):
            sheet.paste(to_image(images[row, column]), (GAP + column * (breadth + GAP), top + caption))
    return sheet
