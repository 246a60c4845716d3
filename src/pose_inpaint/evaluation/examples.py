"""Images of a scored run: the best, median and worst, and a few examples that are the same for every method."""

from collections.abc import Sequence
from pathlib import Path

import torch

from pose_inpaint.config.block_schema import ContactSheetSettings
from pose_inpaint.data.contact_sheet import COLUMNS, draw_contact_sheet, panels
from pose_inpaint.data.dataset import ImageDataset, collate
from pose_inpaint.data.images import save_image, stem, to_bytes, to_image
from pose_inpaint.evaluation.evaluator import InpaintFn
from pose_inpaint.evaluation.scores import Scores
from pose_inpaint.runtime.hashing import digest
from pose_inpaint.tracking.files import CONTACT_SHEET, EXAMPLES


def choose_by_digest(names: Sequence[str], count: int) -> list[int]:
    """Indices of the `count` names with the smallest digests, a choice that doesn't depend on the method."""
    indices = sorted(range(len(names)), key=lambda index: digest(names[index]))
    return sorted(indices[:count])


def write_examples(inpaint: InpaintFn, images: ImageDataset, count: int, device: torch.device, folder: str) -> None:
    """Write input, raw output, composite and original of `count` images as `examples/KIND/NAME.png`."""
    names = [record.name for record in images.records]
    for index in choose_by_digest(names, count):
        batch = images[index].to(device)
        with torch.no_grad():
            columns = to_bytes(panels(batch, inpaint(batch)).float().cpu())[0]
        for kind, image in zip(COLUMNS, columns, strict=True):
            file = Path(folder) / EXAMPLES / kind / f"{stem(names[index])}.png"
            save_image(to_image(image), file)


def draw_ranked(
    inpaint: InpaintFn,
    images: ImageDataset,
    sheet: ContactSheetSettings,
    scores: Scores,
    device: torch.device,
    folder: str,
) -> None:
    """Draw the best, median and worst images as `contact_sheet.png`."""
    ranked = scores.ranked(sheet.rank_by)
    each = min(sheet.each, max(1, len(ranked) // 3))  # the three groups don't overlap in small splits
    middle = len(ranked) // 2 - each // 2
    chosen = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    rows = [(label, index) for label, group in chosen.items() for index in group]
    batch = collate([images[index] for _, index in rows]).to(device)
    with torch.no_grad():
        output = inpaint(batch)
    values = scores.values()[sheet.rank_by]
    captions = [f"{label}: {scores.names[i]}  {sheet.rank_by} {float(values[i]):.4f}" for label, i in rows]
    draw_contact_sheet(panels(batch, output), captions=captions).save(Path(folder) / CONTACT_SHEET)
