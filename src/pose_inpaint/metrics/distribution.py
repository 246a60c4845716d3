"""Distances between a set of restored images and their originals: FID, KID, and Fréchet distance of VGG16 features.

These scores depend on the number of images: compare only sets of the same size.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from pose_inpaint.data.images import to_bytes
from pose_inpaint.errors import InputError
from pose_inpaint.models.networks.vgg16 import VGG16Features
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, Region, check_choice

SUBSET_SEED = 2018
FEATURES_DEPTH = 512  # channels of VGG16's last two blocks
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"


class DistributionMetric(Metric):
    """Distance between two sets of images, computed by a metric of torchmetrics.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole"; other regions are not supported.
        distance: Torchmetrics metric on 8-bit images with `update(images, real=...)`.
        fewest: Minimum number of images.
    """

    regions: tuple[Region, ...] = ("whole",)

    def __init__(self, image: ImageKind, region: Region, distance: Metric, fewest: int = 2) -> None:
        super().__init__()
        check_choice("metric: image", image, ImageKind)
        check_choice("metric: region", region, Region)
        self.image, self.region, self.distance, self.fewest = image, region, distance, fewest

    def update(self, batch: Batch, output: InpaintingOutput) -> None:
        """Add the first sample of each image in a batch."""
        restored = output.image(self.image, batch)[:, 0]
        self.distance.update(to_bytes(batch.target.float()).to(self.distance.device), real=True)
        self.distance.update(to_bytes(restored.float()).to(self.distance.device), real=False)

    def compute(self) -> Float[Tensor, ""]:
        """Compute the distance over all images so far."""
        with torch.random.fork_rng(devices=[]):  # KID draws its subsets from the global generator
            torch.manual_seed(SUBSET_SEED)
            result = self.distance.compute()
        value: Tensor = result[0] if isinstance(result, tuple) else result  # KID: mean and deviation over subsets
        return value


class FID(DistributionMetric):
    """Fréchet Inception distance (Heusel et al. 2017), at least 0; lower is better.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole".
        weights: File of torch-fidelity's Inception v3; downloaded if not given.

    Raises:
        InputError: torch-fidelity or the weights are not available.
    """

    def __init__(self, image: ImageKind = "composite", region: Region = "whole", weights: str | None = None) -> None:
        if weights is not None and not Path(weights).is_file():
            raise InputError(f"metric.fid.weights={weights}: no such file; give torch-fidelity's {INCEPTION}, or null")
        make = FrechetInceptionDistance
        super().__init__(image, region, _build("fid", lambda: make(feature_extractor_weights_path=weights)))


class KID(DistributionMetric):
    """Kernel Inception distance (Binkowski et al. 2018), mean over random subsets; unbiased, lower is better.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole".
        subset_size: Number of images per subset.

    Raises:
        InputError: torch-fidelity or its weights, which torchmetrics downloads, are not available.
    """

    def __init__(self, image: ImageKind = "composite", region: Region = "whole", subset_size: int = 50) -> None:
        distance = _build("kid", lambda: KernelInceptionDistance(subset_size=subset_size))
        super().__init__(image, region, distance, fewest=subset_size)


class FrechetVGG16(DistributionMetric):
    """Fréchet distance of mean activations of a layer of VGG16; not comparable with FID.

    Args:
        image: Image to score, "raw" or "composite".
        region: "whole".
        weights: Weights as in `loss.features.weights`: a file, or "imagenet" or "coco", downloaded by torchvision.
        channels: Channel order that a file's weights expect, "rgb" or "bgr".
        layer: Layer of VGG16's fourth or fifth block.

    Raises:
        InputError: The weights are not available, or the layer is of another block.
    """

    def __init__(
        self,
        image: ImageKind = "composite",
        region: Region = "whole",
        weights: str = "imagenet",
        channels: str = "rgb",
        layer: str = "conv5_3",
    ) -> None:
        if not layer.startswith(("conv4", "conv5")):
            raise InputError(
                f"metric.frechet_vgg16.layer={layer}: must be a layer of the fourth or fifth block, such as conv5_3"
            )
        features = _PooledFeatures(VGG16Features(weights, [layer], channels, "metric.frechet_vgg16"))  # type: ignore[arg-type]
        super().__init__(image, region, FrechetInceptionDistance(feature=features))


class _PooledFeatures(nn.Module):
    """Network from 8-bit images to a layer's mean activations, with the interface that torchmetrics expects."""

    num_features = FEATURES_DEPTH

    def __init__(self, features: VGG16Features) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
        activations: Tensor = self.features(images.float())[0]
        return activations.mean((2, 3))


def _build(name: str, make: Callable[[], Metric]) -> Metric:
    try:
        return make()
    except ModuleNotFoundError as error:
        raise InputError(f"metric.{name} needs torch-fidelity: pip install 'pose-inpaint[fid]'") from error
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"metric.{name}: Inception v3's weights are not available ({error}); put {INCEPTION} into "
            f"{torch.hub.get_dir()}/checkpoints, or remove {name} from metric=[...]"
        ) from error
