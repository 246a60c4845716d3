"""Random rotation, scaling, shifting and mirroring of images with their joints, for training pose networks."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import ColorJitter

from pose_inpaint.data.joints import MIRRORED

TURN = 30.0  # degrees; like SCALE from Newell et al. 2016, section 3.1
SCALE = 0.25
SHIFT = 0.1  # of the side; our choice
JITTER = ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3)  # our choice


def augment(
    images: Float[Tensor, "b 3 s s"], joints: Float[Tensor, "b 14 3"]
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 14 3"]]:
    """Transform each square image at random, and jitter the colours of the whole batch alike.

    Joints that leave their image are marked as not visible.

    Args:
        images: Images (b, 3, s, s), in [0, 1].
        joints: X and y in pixels and visibility (0 or 1), (b, 14, 3).
    """
    count, side = len(images), images.shape[-1]
    angle = (torch.rand(count) * 2 - 1) * math.radians(TURN)
    scale = 1 + (torch.rand(count) * 2 - 1) * SCALE
    shift = ((torch.rand(count, 2) * 2 - 1) * SHIFT).to(images)
    mirrored = torch.rand(count) < 0.5
    sign = torch.where(mirrored, -1.0, 1.0)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    linear = torch.stack([cosine * sign, -sine, sine * sign, cosine], dim=1).reshape(-1, 2, 2).to(images)
    inverse = torch.linalg.inv(linear)  # affine_grid maps output to input positions, in half sides from the centre
    theta = torch.cat([inverse, -inverse @ (2 * shift)[..., None]], dim=2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    seen = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    positions = (joints[..., :2] - side / 2) @ linear.mT + side / 2 + shift[:, None] * side
    inside = ((positions > 0) & (positions < side)).all(-1)
    moved = torch.cat([positions, (joints[..., 2:] > 0) & inside[..., None]], dim=-1)
    # In a mirrored image, the left wrist is a right wrist.
    return JITTER(seen), torch.where(mirrored.to(joints.device)[:, None, None], moved[:, list(MIRRORED)], moved)
