"""Pictures of a scored run: the best, median and worst, and a few in full that are the same for every system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pose_inpaint.data.contact_sheet import COLUMNS, draw_sheet, panels
from pose_inpaint.data.dataset import collate
from pose_inpaint.data.images import save_picture, stem, to_bytes, to_image
from pose_inpaint.runtime.hashing import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_inpaint.config.schema import SheetSettings
    from pose_inpaint.data.dataset import Pictures
    from pose_inpaint.evaluation.evaluator import Complete
    from pose_inpaint.evaluation.scores import Scores

EXAMPLES = "examples"


def choose_by_digest(names: Sequence[str], count: int) -> list[int]:
    """Places of the `count` names with the smallest digests: neither taste nor the system has a say."""
    places = sorted(range(len(names)), key=lambda place: digest(names[place]))
    return sorted(places[:count])


def write_examples(complete: Complete, pictures: Pictures, count: int, device: torch.device, folder: str) -> None:
    """Writes input, raw, composite and original of a few pictures as `examples/WHICH/NAME.png`."""
    names = [record.name for record in pictures.records]
    for place in choose_by_digest(names, count):
        batch = pictures[place].to(device)
        with torch.no_grad():
            shown = to_bytes(panels(batch, complete(batch)).float().cpu())[0]
        for which, picture in zip(COLUMNS, shown, strict=True):
            file = Path(folder) / EXAMPLES / which / f"{stem(names[place])}.png"
            save_picture(to_image(picture), file)


def draw_ranked(
    complete: Complete, pictures: Pictures, sheet: SheetSettings, scores: Scores, device: torch.device, folder: str
) -> None:
    """Draws the best, the median and the worst pictures as `sheet.png`."""
    ranked = scores.ranked(sheet.rank_by)
    each = min(sheet.each, max(1, len(ranked) // 3))
    middle = len(ranked) // 2 - each // 2
    chosen = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    places = [place for group in chosen.values() for place in group]
    batch = collate([pictures[place] for place in places]).to(device)
    with torch.no_grad():
        completion = complete(batch)
    values = scores.values()[sheet.rank_by]
    captions = [
        f"{label}: {scores.names[place]}  {sheet.rank_by} {float(values[place]):.4f}"
        for label, group in chosen.items()
        for place in group
    ]
    draw_sheet(panels(batch, completion), captions=captions).save(Path(folder) / "sheet.png")
