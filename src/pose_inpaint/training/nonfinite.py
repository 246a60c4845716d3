"""Report of a batch whose loss is not finite."""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from pose_inpaint.data.contact_sheet import draw_contact_sheet
from pose_inpaint.errors import InputError
from pose_inpaint.types import Batch


class NonFiniteLossError(InputError):
    """Loss that is NaN or infinite, because of the settings or the images."""


def report_nonfinite(
    batch: Batch, values: Mapping[str, Tensor], side: str, folder: str, batches_seen: int, rank: int = 0
) -> NoReturn:
    """Write the batch to `nonfinite.pt` and `nonfinite.png` in `folder`, and raise `NonFiniteLossError`."""
    numbers = {name: float(value.detach()) for name, value in values.items()}
    dump = Path(folder) / (f"nonfinite-rank{rank}.pt" if rank else "nonfinite.pt")
    contents = {"names": list(batch.names), "values": numbers, "target": batch.target.cpu(), "mask": batch.mask.cpu()}
    torch.save(contents, dump)
    images = torch.stack([batch.known, batch.target], dim=1)
    draw_contact_sheet(images.nan_to_num(0), ("input", "original"), batch.names).save(dump.with_suffix(".png"))
    terms = ", ".join(f"{name}={number:g}" for name, number in numbers.items())
    raise NonFiniteLossError(
        f"the {side}'s loss is not finite after {batches_seen} batches ({terms}) on {', '.join(batch.names)}; look at "
        f"{dump} and {dump.with_suffix('.png').name}, then try a smaller optim.lr or loss weight, or optim.clip_norm=1"
    )
