"""LPIPS, computed by torchmetrics, or on VGG16 from a file."""

from pathlib import Path
from typing import Literal
from urllib.error import URLError

import torch
import torchmetrics
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.models.networks.vgg16 import Channels, VGG16Features
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.types import ImageKind, Region, check_choice

Net = Literal["alex", "vgg", "squeeze"]
BACKBONES = {"alex": "AlexNet", "vgg": "VGG16", "squeeze": "SqueezeNet 1.1"}
LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
HEADS = "functional/image/lpips_models/vgg.pth"  # linear weights inside torchmetrics
UNVERIFIED = "2f8c473af40bf32798579a128f4dbe5564ff3fb0dc0fd8c35eb2e58d85fd53c6"
"""SHA-256 of a copy of Caffe's ImageNet weights in half precision; only its first block is known to be as released."""


class LPIPS(ImageMetric):
    """Learned perceptual image patch similarity, at least 0; lower is better (Zhang et al. 2018, arXiv 1801.03924).

    The linear weights come with torchmetrics. The backbone's ImageNet weights are downloaded once by torchvision into
    `torch.hub.get_dir()`/checkpoints, unless a file is given: then the score has a name of its own, since the linear
    weights were learned on torchvision's weights and another scale of the images.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole"; values of other regions are NaN.
        net: Backbone: "alex" (recommended by its authors for scoring), "vgg" or "squeeze".
        weights: File of VGG16's convolutions, as of `loss.features.weights`, for net "vgg"; None for torchvision's.
        channels: Channel order that the file's weights expect, "rgb" or "bgr".

    Raises:
        InputError: The backbone's weights are not available, or not VGG16's.
    """

    stage = "perceptual"
    regions = ("whole",)

    def __init__(
        self,
        image: ImageKind = "composite",
        region: Region = "whole",
        net: Net = "alex",
        weights: str | None = None,
        channels: Channels = "rgb",
    ) -> None:
        super().__init__(image, region)
        check_choice("metric.lpips.net", net, Net)
        self.net, self.weights = net, weights
        if weights is not None:
            if net != "vgg":
                raise InputError(
                    f"metric.lpips.net={net}: a file can only hold VGG16's weights; give metric.lpips.net=vgg"
                )
            self.network: nn.Module = FileLPIPS(weights, channels)
            return
        try:
            self.network = LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True).net
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(
                f"metric.lpips: torchvision could not download {BACKBONES[net]}'s weights ({error}); put the file into "
                f"{torch.hub.get_dir()}/checkpoints, or remove lpips from metric=[...]"
            ) from error

    @property
    def named(self) -> str:
        """Name of the score: "lpips", or one that tells the file of weights."""
        if self.weights is None:
            return "lpips"
        file = Path(self.weights)
        digest = file_digest(file) if file.is_file() else self.weights  # "random", ...
        return f"lpips_vgg_{'unverified' if digest == UNVERIFIED else digest[:8]}"

    @property
    def measured_by(self) -> tuple[Net, str | None]:
        """Name of the backbone, and file of its weights."""
        return self.net, self.weights

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3"]:
        """Distance of the whole images; NaN for the other regions."""
        self.network.to(prediction.device)  # images of an Apple GPU arrive on the CPU, see `to_double`
        distance = self.network(prediction.float(), target.float(), normalize=True).reshape(-1, 1).double()
        return torch.cat([distance, torch.full_like(distance, torch.nan).expand(-1, 2)], dim=1)


class FileLPIPS(nn.Module):
    """LPIPS on VGG16 from a file, of images in 0..255 less the mean, with the linear weights of LPIPS-VGG.

    Args:
        weights: File of VGG16's convolutions.
        channels: Channel order that the weights expect, "rgb" or "bgr".
    """

    def __init__(self, weights: str, channels: Channels) -> None:
        super().__init__()
        self.features = VGG16Features(weights, LAYERS, channels, "metric.lpips")
        heads = torch.load(Path(torchmetrics.__file__).parent / HEADS, map_location="cpu", weights_only=True)
        for index in range(len(LAYERS)):
            self.register_buffer(f"head{index}", heads[f"lin{index}.model.1.weight"], persistent=False)

    def forward(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], *, normalize: bool
    ) -> Float[Tensor, " n"]:
        """Distance of images in [0, 1] (`normalize`, as in torchmetrics), or in [-1, 1]."""
        pairs = [self.features(255 * images if normalize else 127.5 * (images + 1)) for images in (prediction, target)]
        total = prediction.new_zeros(len(prediction))
        for index, features in enumerate(zip(*pairs, strict=True)):
            first, second = (each / (each.square().sum(1, keepdim=True) + 1e-8).sqrt() for each in features)
            total = total + ((first - second).square() * self.get_buffer(f"head{index}")).sum(1).mean((1, 2))
        return total
