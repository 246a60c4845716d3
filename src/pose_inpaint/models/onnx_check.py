"""Comparison of an ONNX file with the network that it was written from, on drawn people."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.data.images import to_signed
from pose_inpaint.data.mannequins import draw
from pose_inpaint.data.mannequins.writer import draw_squares
from pose_inpaint.data.maskdata import Block, draw_blocks
from pose_inpaint.types import Batch, Inpainter

SHAPES = ((2, 128, 128), (3, 96, 160))  # images, height, width
SEED = 2018


def drawn_batch(images: int, height: int, width: int, stride: int = 1) -> Batch:
    """Draw people with square holes; the sides are rounded up to multiples of `stride`."""
    height, width = (-(-side // stride) * stride for side in (height, width))
    size = max(height, width)
    target, mask = torch.zeros(images, 3, size, size), torch.zeros(images, 1, size, size)
    for index in range(images):
        target[index] = to_signed(torch.from_numpy(draw(SEED, index, size).image).permute(2, 0, 1))
        mask[index] = draw_blocks([Block(*square) for square in draw_squares(SEED, index, size)], size, size)
    names = tuple(f"mannequin_{index:06d}" for index in range(images))
    return Batch(target[..., :height, :width], mask[..., :height, :width], names)


def largest_difference(network: nn.Module, exported: Inpainter) -> float:
    """Largest difference of the raw outputs on drawn people, over `SHAPES`, in grey levels of 0..255."""
    stride = int(getattr(network, "stride", 1))
    differences = []
    with torch.no_grad():
        for shape in SHAPES:
            batch = drawn_batch(*shape, stride)
            raw: Float[Tensor, "b 3 h w"] = network(batch.known, batch.mask).raw
            differences.append((raw - exported(batch.known, batch.mask).raw).abs().max() * 127.5)
    return float(torch.stack(differences).max())
