"""Frozen features of VGG16 (Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556)."""

from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VGG16_Weights, vgg16
from torchvision.models.detection import SSD300_VGG16_Weights

from pose_inpaint.errors import InputError
from pose_inpaint.types import check_choice

# Index of each convolution in torchvision's `vgg16().features`.
CONVOLUTIONS = {
    "conv1_1": 0, "conv1_2": 2, "conv2_1": 5, "conv2_2": 7, "conv3_1": 10, "conv3_2": 12, "conv3_3": 14,
    "conv4_1": 17, "conv4_2": 19, "conv4_3": 21, "conv5_1": 24, "conv5_2": 26, "conv5_3": 28,
}  # fmt: skip
with torch.device("meta"):  # shapes without memory
    SHAPES = {name: value.shape for name, value in vgg16().state_dict().items() if name.startswith("features.")}
CAFFE_MEAN = (123.68, 116.779, 103.939)  # red, green, blue in 0..255, the weights' input scale

LOSS = "loss.features"  # block of the configuration that names the weights of the perceptual loss

Channels = Literal["rgb", "bgr"]


class VGG16Features(nn.Module):
    """VGG16's convolutions up to the last requested layer.

    The weights (59 MB) are never trained, so they are non-persistent buffers, which checkpoints leave out. Raises
    `InputError` if a layer is unknown, or the weights are not available or not VGG16's.

    Args:
        weights: "coco" (backbone of torchvision's `ssd300_vgg16`, trained on Microsoft COCO as in the slides),
            "imagenet" (torchvision's `IMAGENET1K_FEATURES`), "random" (for tests and dry runs) or a file. torchvision
            downloads the first two into its cache.
        layers: Names of layers such as "conv3_3", read after ReLU.
        channels: Order of the input channels that the weights expect; "rgb" for all weights but some files.
        key: Block of the configuration that names them, for messages.
    """

    def __init__(
        self,
        weights: str,
        layers: list[str] | tuple[str, ...] = ("conv3_3",),
        channels: Channels = "rgb",
        key: str = LOSS,
    ) -> None:
        super().__init__()
        check_choice(f"{key}.channels", channels, Channels)
        if not layers or not set(layers) <= set(CONVOLUTIONS):
            raise InputError(f"{key}.layers={list(layers)}: give some of {', '.join(CONVOLUTIONS)}")
        self.layers, self.source, self.channels = tuple(layers), weights, channels
        self.depth = max(CONVOLUTIONS[layer] for layer in layers)
        for name, value in load_weights(weights, channels, key).items():
            _, index, kind = name.split(".")
            if int(index) <= self.depth:
                self.register_buffer(kind + index, value, persistent=False)
        mean = CAFFE_MEAN if channels == "rgb" else CAFFE_MEAN[::-1]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """Return the features of RGB images in 0..255 at each requested layer, in the network's order."""
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


def load_weights(weights: str, channels: Channels = "rgb", key: str = LOSS) -> dict[str, Float[Tensor, " ..."]]:
    """Load VGG16's convolutions under torchvision's names, in single precision."""
    if weights == "random":
        return random_weights()
    named = weights in ("coco", "imagenet")
    state = download_weights(weights, key) if named else read_weights(Path(weights), channels, key)
    wrong = [name for name, shape in SHAPES.items() if name not in state or state[name].shape != shape]
    if wrong:
        raise _error(key, weights, f"not VGG16's: {wrong[0]} is missing or has another shape")
    return {name: state[name].float() for name in SHAPES}


def random_weights() -> dict[str, Float[Tensor, " ..."]]:
    """Draw weights with a fixed seed (He et al. 2015), so that runs with random features are reproducible."""
    generator, state = torch.Generator().manual_seed(0), {}
    for name, shape in SHAPES.items():
        deviation = (2 / shape[1:].numel()) ** 0.5
        state[name] = torch.zeros(shape) if len(shape) == 1 else torch.randn(shape, generator=generator) * deviation
    return state


def download_weights(name: str, key: str = LOSS) -> dict[str, Float[Tensor, " ..."]]:
    """Load weights from torchvision's cache, downloading them if needed, with their checksum verified."""
    try:
        if name == "imagenet":
            return dict(VGG16_Weights.IMAGENET1K_FEATURES.get_state_dict(progress=True, check_hash=True))
        return rename_ssd(SSD300_VGG16_Weights.COCO_V1.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:  # no network, or a damaged download
        raise _error(key, name, f"torchvision could not download them ({error})") from error


def rename_ssd(state: dict[str, Tensor]) -> dict[str, Float[Tensor, " ..."]]:
    """Rename the VGG16 part of `ssd300_vgg16`'s state to the names of torchvision's `vgg16`."""
    renamed = {}
    for name in SHAPES:
        _, index, kind = name.split(".")
        # torchvision's SSD keeps the fifth block in `SSDFeatureExtractorVGG.extra`.
        layer = f"extra.0.{int(index) - 23}" if int(index) >= 24 else f"features.{index}"
        renamed[name] = state[f"backbone.{layer}.{kind}"]
    return renamed


def read_weights(path: Path, channels: Channels = "rgb", key: str = LOSS) -> dict[str, Float[Tensor, " ..."]]:
    """Read weights from a file; raise `InputError` also if it says that it takes the other order of channels."""
    if not path.is_file():
        raise _error(key, path, "no such file, and not one of coco, imagenet, random")
    try:
        if path.suffix != ".safetensors":
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        with safe_open(path, "pt") as file:
            order = (file.metadata() or {}).get("input", "")[:3].lower()
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise _error(key, path, f"can't be read ({type(error).__name__}: {error})") from error
    if order in get_args(Channels) and order != channels:
        raise InputError(f"{key}.channels={channels}: {path} says that it takes {order}; give {key}.channels={order}")
    return state


def _error(key: str, weights: str | Path, reason: str) -> InputError:
    off = ", or turn the term off with loss.generator.perceptual.weight=0" if key == LOSS else ""
    return InputError(
        f"{key}.weights={weights}: {reason}; give {key}.weights=FILE (.pt, .pth or .safetensors with torchvision's "
        f"names features.N.weight){off}"
    )
