"""The Lightning module that trains a pose network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch import nn

from pose_inpaint.errors import InputError
from pose_inpaint.pose.augmentation import augment
from pose_inpaint.pose.distances import correct_keypoints, person_scale
from pose_inpaint.pose.heatmaps import draw_heatmaps, find_joints
from pose_inpaint.pose.hourglass import HOURGLASS_FORMAT
from pose_inpaint.pose.hourglass_network import STRIDE

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.types import Batch


class PoseModule(LightningModule):
    """Trains heatmaps maps by squared error, with every stack supervised (Newell et al. 2016, section 3.3).

    Args:
        network: images to heatmaps maps of each stack.
        lr: the highest learning rate; it rises to it and falls again over all of training (Smith and Topin 2018).
        weight_decay: of AdamW.
        settings: of the network, stored in every checkpoint.
        config: the resolved configuration as plain data, likewise.
    """

    def __init__(
        self,
        network: nn.Module,
        lr: float,
        weight_decay: float,
        settings: dict[str, Any],
        config: dict[str, Any],
    ) -> None:
        super().__init__()
        self.network, self.lr, self.weight_decay = network, lr, weight_decay
        self.settings, self.config = settings, config
        self.right, self.counted = torch.zeros(()), torch.zeros(())

    def configure_optimizers(self) -> Any:
        """AdamW under a one-cycle learning rate."""
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss on random views."""
        images, joints = augment((batch.target + 1) / 2, check_poses(batch))
        loss = heatmap_loss(self.network(images), joints)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Begins to count."""
        self.right, self.counted = torch.zeros(()), torch.zeros(())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts right joints on the images as they are."""
        joints = check_poses(batch)
        found = find_joints(self.network((batch.target + 1) / 2)[:, -1], STRIDE)
        everyone = torch.ones(len(joints), dtype=torch.bool, device=self.device)
        right, counted = correct_keypoints(found, everyone, joints, person_scale(joints))
        self.right, self.counted = self.right + right.sum().cpu(), self.counted + counted.sum().cpu()

    def on_validation_epoch_end(self) -> None:
        """Logs PCK@0.2 over all joints of all images."""
        self.log("val/pck", (self.right / self.counted).float(), prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what rebuilding needs, as plain data that loads with `weights_only=True`."""
        checkpoint["pose_inpaint_pose"] = {
            "format": HOURGLASS_FORMAT, "network": self.settings, "config": self.config
        }  # fmt: skip


def check_poses(batch: Batch) -> Float[Tensor, "b 14 3"]:
    """The batch's joints.

    Raises:
        InputError: it has none.
    """
    if batch.pose is None:
        raise InputError(f"{batch.names[0]}: no joints; give a data set with joints.json")
    return batch.pose


def heatmap_loss(heatmaps: Float[Tensor, "b s j h w"], joints: Float[Tensor, "b j 3"]) -> Float[Tensor, ""]:
    """Squared error of the maps of visible joints, as a share of the true maps' own squares, summed over stacks.

    Maps of joints that are not annotated don't count. An empty answer costs 1 for each stack, whatever the size of the
    maps; a true one costs nothing.
    """
    true = draw_heatmaps(joints, heatmaps.shape[-2], heatmaps.shape[-1], STRIDE)
    counts = (joints[..., 2] > 0).to(heatmaps)
    error = (heatmaps - true[:, None]).square().sum((-2, -1)) * counts[:, None]
    empty = (true.square().sum((-2, -1)) * counts).sum().clamp(min=1e-6)
    total: Tensor = error.sum() / empty
    return total
