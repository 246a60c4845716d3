"""Turned, scaled, shifted and mirrored images with their joints, for training pose networks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F
from torchvision.transforms.v2 import ColorJitter

from pose_inpaint.data.joints import MIRRORED

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

TURN = 30.0  # degrees; Newell et al. 2016, section 3.1, as the scale
SCALE = 0.25
SHIFT = 0.1  # of the side; ours
JITTER = ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3)  # ours


def augment(
    images: Float[Tensor, "b 3 s s"], joints: Float[Tensor, "b 14 3"]
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 14 3"]]:
    """A random view of each square image, with colours that change alike over the batch.

    Joints that leave their image are no longer visible.

    Args:
        images: in [0, 1].
        joints: x, y in pixels and visible.
    """
    count, side = len(images), images.shape[-1]
    angle = (torch.rand(count) * 2 - 1) * math.radians(TURN)
    scale = 1 + (torch.rand(count) * 2 - 1) * SCALE
    shift = ((torch.rand(count, 2) * 2 - 1) * SHIFT).to(images)
    mirrored = torch.rand(count) < 0.5
    sign = torch.where(mirrored, -1.0, 1.0)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    linear = torch.stack([cosine * sign, -sine, sine * sign, cosine], dim=1).reshape(-1, 2, 2).to(images)
    inverse = torch.linalg.inv(linear)  # grids lead from new places to old ones, in half sides from the middle
    theta = torch.cat([inverse, -inverse @ (2 * shift)[..., None]], dim=2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    seen = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    places = (joints[..., :2] - side / 2) @ linear.mT + side / 2 + shift[:, None] * side
    inside = ((places > 0) & (places < side)).all(-1)
    found = torch.cat([places, (joints[..., 2:] > 0) & inside[..., None]], dim=-1)
    return JITTER(seen), torch.where(mirrored.to(joints.device)[:, None, None], found[:, list(MIRRORED)], found)
