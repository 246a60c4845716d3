"""Contact sheet of the same few images after every validation."""

from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from pose_inpaint.data.contact_sheet import COLUMNS, draw_contact_sheet, panels
from pose_inpaint.data.images import save_image
from pose_inpaint.tracking.files import SAMPLES
from pose_inpaint.tracking.run_logger import BatchLogger
from pose_inpaint.types import Batch, Inpainter


class SampleSheet(Callback):
    """Inpaints `batch`, writes `samples.png` (input, raw, composite, original), and sends it to loggers of images.

    Args:
        folder: Folder of the run.
        batch: Images.
        beside: Trained model whose composites get a column of their own, and its name; or None.
    """

    def __init__(self, folder: Path, batch: Batch, beside: tuple[str, Inpainter] | None = None) -> None:
        self.folder, self.batch = folder, batch
        self.beside: tuple[str, Tensor] | None = None
        if beside is not None:
            with torch.no_grad():
                composites = beside[1](batch.known, batch.mask).composite(batch)
            self.beside = (beside[0], composites)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Inpaint the images and draw the contact sheet."""
        if not trainer.is_global_zero:
            return
        batch = trainer.precision_plugin.convert_input(self.batch.to(pl_module.device))
        with torch.no_grad():
            output = pl_module.inference_network(batch.known, batch.mask)  # type: ignore[operator]
        rows, columns = panels(batch, output), list(COLUMNS)
        if self.beside is not None:
            rows = torch.cat([rows[:, :-1], self.beside[1].to(rows.device), rows[:, -1:]], dim=1)
            columns.insert(-1, self.beside[0])
        sheet = draw_contact_sheet(rows, columns)
        save_image(sheet, self.folder / SAMPLES)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger | BatchLogger):
                names = ", ".join(self.batch.names)
                logger.log_image("samples", [sheet], caption=[f"epoch {trainer.current_epoch}: {names}"])
