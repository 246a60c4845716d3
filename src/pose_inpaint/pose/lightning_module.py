"""Lightning module that trains a pose network."""

from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.pose.augmentation import augment
from pose_inpaint.pose.distances import correct_keypoints, person_scale
from pose_inpaint.pose.heatmaps import draw_heatmaps, find_joints
from pose_inpaint.pose.hourglass import CONTENT, HOURGLASS_FORMAT
from pose_inpaint.pose.hourglass_network import STRIDE
from pose_inpaint.runtime.rng_state import restore_random_state, take_random_state
from pose_inpaint.types import Batch


class PoseModule(LightningModule):
    """Train heatmaps by squared error, with intermediate supervision of every stack (Newell et al. 2016, section 3.3).

    Args:
        network: Network from images to the heatmaps of each stack.
        lr: Maximum learning rate of the one-cycle schedule over the whole training (Smith and Topin 2018).
        weight_decay: Weight decay of AdamW.
        settings: Settings of the network, stored in every checkpoint.
        config: Resolved configuration as plain data, stored in every checkpoint.
    """

    def __init__(
        self, network: nn.Module, lr: float, weight_decay: float, settings: dict[str, Any], config: dict[str, Any]
    ) -> None:
        super().__init__()
        self.network, self.lr, self.weight_decay = network, lr, weight_decay
        self.settings, self.config = settings, config
        self._random_state: dict[str, Any] | None = None

    def configure_optimizers(self) -> Any:
        """AdamW with a one-cycle learning rate."""
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss on augmented images."""
        images, joints = augment((batch.target + 1) / 2, check_poses(batch))
        loss = heatmap_loss(self.network(images), joints)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(images))  # whatever the interval
        self.log("loss", loss, prog_bar=True, logger=False)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Reset the counts."""
        self.right, self.counted = torch.zeros(()), torch.zeros(())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count correct joints on the original images."""
        joints = check_poses(batch)
        predicted = find_joints(self.network((batch.target + 1) / 2)[:, -1], STRIDE)
        everyone = torch.ones(len(joints), dtype=torch.bool, device=self.device)
        right, counted = correct_keypoints(predicted, everyone, joints, person_scale(joints))
        self.right, self.counted = self.right + right.sum().cpu(), self.counted + counted.sum().cpu()

    def on_validation_epoch_end(self) -> None:
        """Log PCK@0.2 over all joints of all images."""
        self.log("val/pck", (self.right / self.counted).float(), prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add format, settings and configuration, as plain data that loads with `weights_only=True`."""
        content = {"format": HOURGLASS_FORMAT, "network": self.settings, "config": self.config}
        checkpoint[CONTENT] = {**content, "random_state": take_random_state()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the random state until training starts."""
        self._random_state = checkpoint[CONTENT]["random_state"]

    def on_train_start(self) -> None:
        """Restore the random state of a resumed training."""
        if self._random_state is not None:
            restore_random_state(self._random_state)


def check_poses(batch: Batch) -> Float[Tensor, "b 14 3"]:
    """Return the joints of a batch; raise `InputError` if it has none."""
    if batch.pose is None:
        raise InputError(f"{batch.names[0]}: has no joints; choose a data set with joints.json")
    return batch.pose


def heatmap_loss(heatmaps: Float[Tensor, "b s j h w"], joints: Float[Tensor, "b j 3"]) -> Float[Tensor, ""]:
    """Squared error of the heatmaps of annotated joints, relative to the squared target heatmaps, summed over stacks.

    Empty heatmaps have a loss of 1 per stack, whatever their size; the target heatmaps have a loss of 0.
    """
    true = draw_heatmaps(joints, heatmaps.shape[-2], heatmaps.shape[-1], STRIDE)
    counts = (joints[..., 2] > 0).to(heatmaps)
    error = (heatmaps - true[:, None]).square().sum((-2, -1)) * counts[:, None]
    empty = (true.square().sum((-2, -1)) * counts).sum().clamp(min=1e-6)
    total: Tensor = error.sum() / empty
    return total
