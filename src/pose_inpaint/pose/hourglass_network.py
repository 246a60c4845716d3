"""Stacked hourglass network: one heatmap per joint (Newell, Yang and Deng 2016, https://arxiv.org/abs/1603.06937)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.errors import InputError

STRIDE = 4  # image pixels per heatmap cell: the stem halves the resolution twice (paper, section 3.2)


class Residual(nn.Module):
    """Residual bottleneck of figure 4: 1x1, 3x3 and 1x1 convolutions, each after batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, half, 1, bias=False),
            nn.BatchNorm2d(half), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False),
            nn.BatchNorm2d(half), nn.ReLU(), nn.Conv2d(half, outputs, 1),
        )  # fmt: skip
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Add the bottleneck's output to the input."""
        total: Tensor = self.skip(x) + self.body(x)
        return total


class Hourglass(nn.Module):
    """Hourglass of figure 3: down to the lowest resolution and back up, with a skip branch at each resolution."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.skip, self.down, self.up = (Residual(width, width) for _ in range(3))
        self.inner = Hourglass(depth - 1, width) if depth > 1 else Residual(width, width)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute features of the input's shape with a receptive field of the whole image."""
        low = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        total: Tensor = self.skip(x) + F.interpolate(low, size=x.shape[-2:], mode="nearest")
        return total


def _feature_block(width: int) -> nn.Sequential:
    mix = nn.Conv2d(width, width, 1, bias=False)
    return nn.Sequential(Residual(width, width), mix, nn.BatchNorm2d(width), nn.ReLU())


class StackedHourglass(nn.Module):
    """Sequence of hourglasses, each with its own heatmaps (paper, sections 3.2 and 3.3).

    Raises `InputError` for arguments out of range.

    Args:
        joints: Number of heatmaps.
        width: Number of channels, a multiple of 4; 256 in the paper.
        stacks: Number of hourglasses; 8 in the paper.
        depth: Number of times an hourglass halves the resolution; 4 in the paper, from 64x64 to 4x4.
    """

    def __init__(self, joints: int, width: int = 64, stacks: int = 2, depth: int = 4) -> None:
        super().__init__()
        least = {"joints": (joints, 1), "width": (width, 4), "stacks": (stacks, 1), "depth": (depth, 1)}
        for key, (value, smallest) in least.items():
            if value < smallest or (key == "width" and value % 4):
                shape = " and a multiple of 4" if key == "width" else ""
                raise InputError(f"network.{key}={value}: must be at least {smallest}{shape}")
        self.joints, self.side = joints, STRIDE * 2**depth
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 4, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(width // 4), nn.ReLU(),
            Residual(width // 4, width // 2), nn.MaxPool2d(2), Residual(width // 2, width // 2),
            Residual(width // 2, width),
        )  # fmt: skip
        self.hourglasses = nn.ModuleList(Hourglass(depth, width) for _ in range(stacks))
        self.features = nn.ModuleList(_feature_block(width) for _ in range(stacks))
        heads = [nn.Conv2d(width, joints, 1) for _ in range(stacks)]
        for head in heads:  # start with nearly empty heatmaps, since most cells stay empty (Xiao et al. 2018)
            nn.init.normal_(head.weight, std=1e-3)
            head.bias = nn.Parameter(torch.zeros(joints))
        self.heads = nn.ModuleList(heads)
        self.merge_features = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(stacks - 1))
        self.merge_heatmaps = nn.ModuleList(nn.Conv2d(joints, width, 1) for _ in range(stacks - 1))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b s j h4 w4"]:
        """Heatmaps of each stack, of which the last are the prediction, for images in [0, 1].

        Raises:
            InputError: A side of the images is not a multiple of `side`.
        """
        height, width = images.shape[-2:]
        if height % self.side or width % self.side:
            needed = f"the hourglass needs multiples of {self.side} pixels"
            raise InputError(f"data.size: {needed}, but the images have {height}x{width}")
        x = self.stem(images * 2 - 1)
        heatmaps = []
        for number, hourglass in enumerate(self.hourglasses):
            features = self.features[number](hourglass(x))
            heatmaps.append(self.heads[number](features))
            if number < len(self.merge_features):
                x = x + self.merge_features[number](features) + self.merge_heatmaps[number](heatmaps[-1])
        return torch.stack(heatmaps, dim=1)
