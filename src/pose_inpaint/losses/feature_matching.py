"""Distance between the discriminator's features of outputs and originals (Wang et al. 2018, pix2pixHD)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pose_inpaint.errors import InputError
from pose_inpaint.losses.base import LossTerm
from pose_inpaint.losses.discriminator_views import Views, inpainted_views, local_corners
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, check_choice

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU)
"""Layers whose outputs are features, if they are maps (n, c, h, w)."""


class FeatureMatching(LossTerm):
    """Mean absolute difference of the discriminator's feature maps, averaged over its layers.

    A feature map is the output of an activation, of global and local discriminators alike. The originals' features
    have no gradient. After equation 4 of https://arxiv.org/abs/1711.11585; LaMa has such a term, too
    (https://arxiv.org/abs/2109.07161). It costs a pass of the outputs and one of the originals.

    Args:
        weight: Weight of the term in the sum.
        image: Image to compare with the original.
    """

    def __init__(self, weight: float, image: ImageKind = "composite") -> None:
        super().__init__(weight)
        check_choice("loss: FeatureMatching's image", image, ImageKind)
        self.image = image

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean distance, at least 0.

        Raises:
            InputError: There is no discriminator, or none of its layers has feature maps.
        """
        if discriminator is None:
            raise InputError(
                "discriminator: the feature matching term needs one; choose one such as "
                "discriminator=discriminator2018, or remove the term"
            )
        corners = local_corners(discriminator, batch)  # one draw: both images are seen at the same position
        fakes = inpainted_views(batch, output, self.image, corners)
        samples = len(fakes.images) // len(batch.target)
        with torch.no_grad():
            real = feature_maps(discriminator, Views(batch.target, batch.mask, corners))
        fake = feature_maps(discriminator, fakes)
        pairs = zip(fake, real, strict=True)
        return torch.stack([(a - b.repeat_interleave(samples, 0)).abs().mean() for a, b in pairs]).mean()


def feature_maps(discriminator: nn.Module, views: Views) -> list[Float[Tensor, "n c h w"]]:
    """Compute a discriminator's feature maps, in full precision and in the order in which it computes them.

    Raises:
        InputError: It has none.
    """
    with _recorded(discriminator) as maps:
        views.judged_by(discriminator)
    if not maps:
        raise InputError(
            f"discriminator: {type(discriminator).__name__} gives no features for the feature matching term, since no "
            f"activation ({', '.join(kind.__name__ for kind in ACTIVATIONS)}) gives maps; choose another, or remove "
            "the term"
        )
    return maps


@contextmanager
def _recorded(discriminator: nn.Module) -> Iterator[list[Tensor]]:
    """Record the outputs of activations that are maps."""
    maps: list[Tensor] = []

    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        if output.ndim == 4:
            maps.append(output if output.dtype == torch.float64 else output.float())

    hooks = [layer.register_forward_hook(keep) for layer in discriminator.modules() if isinstance(layer, ACTIVATIONS)]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
