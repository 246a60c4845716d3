"""Conversion of joints to heatmaps and back."""

import torch
from jaxtyping import Float
from torch import Tensor

SIGMA = 1.0  # cells; Newell et al. 2016, section 3.1


def draw_heatmaps(
    joints: Float[Tensor, "b j 3"], height: int, width: int, stride: int, sigma: float = SIGMA
) -> Float[Tensor, "b j h w"]:
    """Draw a Gaussian of height 1 around each joint.

    Joints are x and y in pixels of the image; height, width and `sigma` are in cells of `stride` pixels.
    """
    rows, columns = (torch.arange(cells, device=joints.device) + 0.5 for cells in (height, width))
    across = (-((columns - joints[..., 0, None] / stride) ** 2) / (2 * sigma**2)).exp()
    down = (-((rows - joints[..., 1, None] / stride) ** 2) / (2 * sigma**2)).exp()
    return down[..., :, None] * across[..., None, :]


def find_joints(heatmaps: Float[Tensor, "b j h w"], stride: int) -> Float[Tensor, "b j 3"]:
    """Locate the peak of each heatmap with subcell precision.

    The position is the maximum of a parabola through the logarithms of the highest cell and its two neighbours, which
    is exact for a Gaussian (the quadratic form of Zhang et al. 2020, https://arxiv.org/abs/1910.06278).

    Returns:
        X and y in pixels, and the peak clipped to [0, 1] as confidence, (b, j, 3).
    """
    height, width = heatmaps.shape[-2:]
    peak, index = heatmaps.flatten(2).max(2)
    row, column = index // width, index % width
    logarithm = heatmaps.clamp(min=1e-6).log()
    x = column + 0.5 + _offset(logarithm.gather(2, row[..., None, None].expand(-1, -1, 1, width))[:, :, 0], column)
    y = row + 0.5 + _offset(logarithm.gather(3, column[..., None, None].expand(-1, -1, height, 1))[..., 0], row)
    return torch.stack([x * stride, y * stride, peak.clamp(0, 1)], dim=-1)


def _offset(line: Float[Tensor, "b j n"], index: Float[Tensor, "b j"]) -> Float[Tensor, "b j"]:
    """Offset, in cells, from `index` to the maximum of the parabola around it; 0 at the edge of the heatmap."""
    last = line.shape[-1] - 1
    inner = index.clamp(1, last - 1)[..., None]
    before, at, after = (line.gather(2, inner + step)[..., 0] for step in (-1, 0, 1))
    curvature = before - 2 * at + after  # 0 on a plateau, which has no maximum between cells
    offset = torch.where(curvature < 0, (before - after) / (2 * curvature), 0.0).clamp(-0.5, 0.5)
    return torch.where((index > 0) & (index < last), offset, 0.0)
