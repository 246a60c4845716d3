"""Gradient penalties that keep a discriminator smooth."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import grad

from pose_inpaint.config.block_schema import check_weight
from pose_inpaint.losses.discriminator_views import Views
from pose_inpaint.types import Region, check_choice, region_weight


class Penalty(nn.Module):
    """Gradient penalty of the discriminator: `forward` returns its unweighted value, `weight` its weight in the sum."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = check_weight(f"loss: {type(self).__name__}'s weight", weight)

    def forward(self, discriminator: nn.Module, reals: Views, fakes: Views) -> Float[Tensor, ""]:
        """Unweighted penalty: mean over the batch, summed over the discriminator's scores of an image."""
        raise NotImplementedError


class GradientPenalty(Penalty):
    """Mean of (|gradient| - 1)² between originals and outputs.

    Gulrajani et al. 2017 (https://arxiv.org/abs/1704.00028). The gradient of each score is taken at a random point on
    the line from an original to its output, with the output's local patch. The discriminator must score each image
    independently, so it can't have batch normalisation.

    Args:
        weight: Weight of the penalty; 10 in the paper.
        region: Region in which the gradient counts; "hole" in Yu et al. 2018, equation 3, since only holes change.
    """

    def __init__(self, weight: float = 10.0, region: Region = "whole") -> None:
        super().__init__(weight)
        check_choice("loss: GradientPenalty's region", region, Region)
        self.region = region

    def forward(self, discriminator: nn.Module, reals: Views, fakes: Views) -> Float[Tensor, ""]:
        """Unweighted penalty, at least 0."""
        samples = len(fakes.images) // len(reals.images)
        originals = reals.images.repeat_interleave(samples, 0)
        share = torch.rand(len(originals), 1, 1, 1, device=originals.device, dtype=originals.dtype)
        between = torch.lerp(originals, fakes.images.to(originals.dtype), share)
        gradients = score_gradients(discriminator, between, fakes.corners)
        norms: Tensor = (gradients * region_weight(fakes.mask, self.region)).flatten(2).norm(dim=2)
        return (norms - 1).square().mean(1).sum()


class R1Penalty(Penalty):
    """Mean of |gradient|² / 2 at originals (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, equation 9)."""

    def forward(self, discriminator: nn.Module, reals: Views, fakes: Views) -> Float[Tensor, ""]:
        """Unweighted penalty, at least 0."""
        gradients = score_gradients(discriminator, reals.images, reals.corners)
        return gradients.square().flatten(2).sum(2).mean(1).sum() / 2


def score_gradients(discriminator: nn.Module, images: Tensor, corners: Tensor | None) -> Float[Tensor, "k n 3 h w"]:
    """Gradient of each of k scores by the images, differentiable where gradients are enabled."""
    create_graph = torch.is_grad_enabled()
    # Full precision: the squares of small gradients would underflow in half precision.
    with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
        # A detached leaf: the penalty must train the discriminator only, not the generator behind the images.
        images = images.detach().requires_grad_(True)
        scores = discriminator(images, corners)
        sums: Tensor = scores.sum(0)
        return torch.stack([grad(s, images, create_graph=create_graph, retain_graph=True)[0] for s in sums])
