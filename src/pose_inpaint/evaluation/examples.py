"""Images of a scored run: the best, median and worst, and a few in full that are the same for every method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pose_inpaint.data.contact_sheet import COLUMNS, draw_contact_sheet, panels
from pose_inpaint.data.dataset import collate
from pose_inpaint.data.images import save_image, stem, to_bytes, to_image
from pose_inpaint.runtime.hashing import digest
from pose_inpaint.tracking.files import CONTACT_SHEET, EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_inpaint.config.blocks import ContactSheetSettings
    from pose_inpaint.data.dataset import ImageDataset
    from pose_inpaint.evaluation.evaluator import InpaintFn
    from pose_inpaint.evaluation.scores import Scores


def choose_by_digest(names: Sequence[str], count: int) -> list[int]:
    """Places of the `count` names with the smallest digests: neither taste nor the method has a say."""
    places = sorted(range(len(names)), key=lambda place: digest(names[place]))
    return sorted(places[:count])


def write_examples(inpaint: InpaintFn, images: ImageDataset, count: int, device: torch.device, folder: str) -> None:
    """Writes input, raw, composite and original of a few images as `examples/WHICH/NAME.png`."""
    names = [record.name for record in images.records]
    for place in choose_by_digest(names, count):
        batch = images[place].to(device)
        with torch.no_grad():
            shown = to_bytes(panels(batch, inpaint(batch)).float().cpu())[0]
        for which, image in zip(COLUMNS, shown, strict=True):
            file = Path(folder) / EXAMPLES / which / f"{stem(names[place])}.png"
            save_image(to_image(image), file)


def draw_ranked(
    inpaint: InpaintFn,
    images: ImageDataset,
    sheet: ContactSheetSettings,
    scores: Scores,
    device: torch.device,
    folder: str,
) -> None:
    """Draws the best, the median and the worst images as `contact_sheet.png`."""
    ranked = scores.ranked(sheet.rank_by)
    each = min(sheet.each, max(1, len(ranked) // 3))
    middle = len(ranked) // 2 - each // 2
    chosen = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    places = [place for group in chosen.values() for place in group]
    batch = collate([images[place] for place in places]).to(device)
    with torch.no_grad():
        output = inpaint(batch)
    values = scores.values()[sheet.rank_by]
    captions = [
        f"{label}: {scores.names[place]}  {sheet.rank_by} {float(values[place]):.4f}"
        for label, group in chosen.items()
        for place in group
    ]
    draw_contact_sheet(panels(batch, output), captions=captions).save(Path(folder) / CONTACT_SHEET)
