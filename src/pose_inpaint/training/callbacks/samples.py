"""Contact sheet of the same few images after every validation."""

from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from pose_inpaint.data.contact_sheet import draw_contact_sheet, panels
from pose_inpaint.tracking.files import SAMPLES
from pose_inpaint.types import Batch


class SampleSheet(Callback):
    """Inpaints `batch`, writes `samples.png` (input, raw, composite, original), and sends it to a W&B logger."""

    def __init__(self, folder: Path, batch: Batch) -> None:
        self.folder, self.batch = folder, batch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Inpaint the images and draw the contact sheet."""
        if not trainer.is_global_zero:
            return
        batch = trainer.precision_plugin.convert_input(self.batch.to(pl_module.device))
        with torch.no_grad():
            output = pl_module.inference_network(batch.known, batch.mask)  # type: ignore[operator]
        sheet = draw_contact_sheet(panels(batch, output))
        sheet.save(self.folder / SAMPLES)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                names = ", ".join(self.batch.names)
                logger.log_image("samples", [sheet], caption=[f"epoch {trainer.current_epoch}: {names}"])
