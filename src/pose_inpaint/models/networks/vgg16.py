"""Frozen features of VGG16 (Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VGG16_Weights
from torchvision.models.detection import SSD300_VGG16_Weights

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import check_choice

# Index of each convolution in torchvision's `vgg16().features`.
CONVOLUTIONS = {
    "conv1_1": 0, "conv1_2": 2, "conv2_1": 5, "conv2_2": 7, "conv3_1": 10, "conv3_2": 12, "conv3_3": 14,
    "conv4_1": 17, "conv4_2": 19, "conv4_3": 21, "conv5_1": 24, "conv5_2": 26, "conv5_3": 28,
}  # fmt: skip
WIDTHS = (64, 128, 256, 512, 512)
# torchvision's SSD keeps the fifth block in `SSDFeatureExtractorVGG.extra`.
SSD_FIFTH_BLOCK = {24: "backbone.extra.0.1", 26: "backbone.extra.0.3", 28: "backbone.extra.0.5"}
CAFFE_MEAN = (123.68, 116.779, 103.939)  # red, green, blue in 0..255, the weights' input scale

Channels = Literal["rgb", "bgr"]
WAYS_OUT = (
    "give loss.features.weights=FILE (.pt, .pth or .safetensors with torchvision's names features.N.weight), or turn "
    "the term off with loss.generator.perceptual.weight=0"
)


class VGG16Features(nn.Module):
    """VGG16's convolutions up to the last requested layer.

    The weights (59 MB) are never trained, so they are non-persistent buffers, which checkpoints leave out.

    Args:
        weights: "coco" (backbone of torchvision's `ssd300_vgg16`, trained on Microsoft COCO as in the slides),
            "imagenet" (torchvision's `IMAGENET1K_FEATURES`), "random" (for tests and dry runs) or a file. torchvision
            downloads the first two into its cache.
        layers: Names of layers such as "conv3_3", read after ReLU.
        channels: Order of the input channels that the weights expect; "rgb" for all weights but some files.

    Raises:
        InputError: A layer is unknown, or the weights are not available or not VGG16's.
    """

    def __init__(
        self, weights: str, layers: list[str] | tuple[str, ...] = ("conv3_3",), channels: Channels = "rgb"
    ) -> None:
        super().__init__()
        check_choice("loss.features.channels", channels, Channels)
        unknown = [layer for layer in layers if layer not in CONVOLUTIONS]
        if unknown or not layers:
            raise InputError(f"loss.features.layers={list(layers)}: give some of {', '.join(CONVOLUTIONS)}")
        self.layers, self.source, self.channels = tuple(layers), weights, channels
        self.depth = max(CONVOLUTIONS[layer] for layer in layers)
        parameters = load_weights(weights)
        for index in CONVOLUTIONS.values():
            if index <= self.depth:
                for kind in ("weight", "bias"):
                    self.register_buffer(f"{kind}{index}", parameters[f"features.{index}.{kind}"], persistent=False)
        mean = CAFFE_MEAN if channels == "rgb" else CAFFE_MEAN[::-1]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """Return the features of each requested layer, in the network's order.

        Args:
            images: RGB images in 0..255, the scale that the weights were trained on.
        """
        x = (images if self.channels == "rgb" else images.flip(1)) - self.get_buffer("mean")
        features = []
        for layer, index in CONVOLUTIONS.items():
            if index > self.depth:
                break
            if layer.endswith("_1") and index:  # pooling between blocks
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, self.get_buffer(f"weight{index}"), self.get_buffer(f"bias{index}"), padding=1))
            if layer in self.layers:
                features.append(x)
        return features


def load_weights(weights: str) -> dict[str, Float[Tensor, " ..."]]:
    """Load VGG16's convolutions under torchvision's names, in single precision."""
    if weights == "random":
        state = random_weights()
    elif weights in ("coco", "imagenet"):
        state = download_weights(weights)
    else:
        state = read_weights(Path(weights))
    expected = {name: value.shape for name, value in random_weights().items()}
    wrong = [name for name, shape in expected.items() if name not in state or state[name].shape != shape]
    if wrong:
        raise InputError(
            f"loss.features.weights={weights}: not VGG16's: {wrong[0]} is missing or has another shape; {WAYS_OUT}"
        )
    return {name: state[name].float() for name in expected}


def random_weights() -> dict[str, Float[Tensor, " ..."]]:
    """Draw weights with a fixed seed (He et al. 2015), so that runs with random features are reproducible."""
    generator = torch.Generator().manual_seed(0)
    state, inputs = {}, 3
    for layer, index in CONVOLUTIONS.items():
        outputs = WIDTHS[int(layer[4]) - 1]
        deviation = (2 / (9 * inputs)) ** 0.5
        state[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * deviation
        state[f"features.{index}.bias"] = torch.zeros(outputs)
        inputs = outputs
    return state


def download_weights(name: str) -> dict[str, Float[Tensor, " ..."]]:
    """Load weights from torchvision's cache, downloading them if needed, with their checksum verified."""
    try:
        if name == "imagenet":
            return dict(VGG16_Weights.IMAGENET1K_FEATURES.get_state_dict(progress=True, check_hash=True))
        return rename_ssd(SSD300_VGG16_Weights.COCO_V1.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network, or a damaged download
        raise InputError(
            f"loss.features.weights={name}: torchvision could not download them ({error}); {WAYS_OUT}"
        ) from error


def rename_ssd(state: dict[str, Tensor]) -> dict[str, Float[Tensor, " ..."]]:
    """Rename the VGG16 part of `ssd300_vgg16`'s state to the names of torchvision's `vgg16`."""
    prefixes = {index: SSD_FIFTH_BLOCK.get(index, f"backbone.features.{index}") for index in CONVOLUTIONS.values()}
    return {
        f"features.{index}.{kind}": state[f"{prefix}.{kind}"]
        for index, prefix in prefixes.items()
        for kind in ("weight", "bias")
    }


def read_weights(path: Path) -> dict[str, Float[Tensor, " ..."]]:
    """Read weights from a file."""
    if not path.is_file():
        raise InputError(
            f"loss.features.weights={path}: no such file, and not one of coco, imagenet, random; {WAYS_OUT}"
        )
    if path.suffix == ".safetensors":
        needed = f"loss.features.weights={path}: reading it needs safetensors"
        read: Callable[[Path], dict[str, Tensor]] = import_extra("safetensors.torch", needed, "weights").load_file
    else:
        read = _read_torch
    try:
        return dict(read(path))
    except Exception as error:
        raise InputError(
            f"loss.features.weights={path}: can't be read ({type(error).__name__}: {error}); {WAYS_OUT}"
        ) from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    return dict(torch.load(path, map_location="cpu", weights_only=True))
