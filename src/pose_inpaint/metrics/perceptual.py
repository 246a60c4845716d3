"""LPIPS, computed by torchmetrics."""

from typing import Literal
from urllib.error import URLError

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.per_image import ImageMetric
from pose_inpaint.types import ImageKind, Region, check_choice

Net = Literal["alex", "vgg", "squeeze"]
BACKBONES = {"alex": "AlexNet", "vgg": "VGG16", "squeeze": "SqueezeNet 1.1"}


class LPIPS(ImageMetric):
    """Learned perceptual image patch similarity, at least 0; lower is better (Zhang et al. 2018, arXiv 1801.03924).

    The linear weights come with torchmetrics. The backbone's ImageNet weights are downloaded once by torchvision into
    `torch.hub.get_dir()`/checkpoints.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole"; values of other regions are NaN.
        net: Backbone: "alex" (recommended by its authors for scoring), "vgg" or "squeeze".

    Raises:
        InputError: The backbone's weights are not available.
    """

    stage = "perceptual"
    regions = ("whole",)

    def __init__(self, image: ImageKind = "composite", region: Region = "whole", net: Net = "alex") -> None:
        super().__init__(image, region)
        check_choice("metric.lpips.net", net, Net)
        self.net = net
        try:
            self.network = LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True).net
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(
                f"metric.lpips: torchvision could not download {BACKBONES[net]}'s weights ({error}); put the file into "
                f"{torch.hub.get_dir()}/checkpoints, or remove lpips from metric=[...]"
            ) from error

    @property
    def measured_by(self) -> Net:
        """Name of the backbone."""
        return self.net

    def measure(
        self, prediction: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"], mask: Float[Tensor, "n 1 h w"]
    ) -> Float[Tensor, "n 3"]:
        """Distance of the whole images; NaN for the other regions."""
        self.network.to(prediction.device)  # images of an Apple GPU arrive on the CPU, see `to_double`
        distance = self.network(prediction.float(), target.float(), normalize=True).reshape(-1, 1).double()
        return torch.cat([distance, torch.full_like(distance, torch.nan).expand(-1, 2)], dim=1)
