"""Context encoders (Pathak et al. 2016, https://arxiv.org/abs/1604.07379).

Convolutions follow the paper's figure 9 and the authors' code for arbitrary holes
(https://github.com/pathak22/context-encoder); section 3.1's channel-wise layer joins encoder and decoder.
"""

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pose_inpaint.data.images import resize
from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.full_precision import ScoreConv2d
from pose_inpaint.types import InpaintingOutput

# Colour put into the holes: ImageNet's mean (red, green, blue), in [-1, 1].
FILL = (2 * 123 / 255 - 1, 2 * 117 / 255 - 1, 2 * 104 / 255 - 1)
LEAK = 0.2  # negative slope of leaky ReLU in encoder and discriminator (authors' code)
DEVIATION = 0.02  # standard deviation of the initial weights (authors' code)
SMALLEST = 4  # side in pixels of the features between encoder and decoder


class ChannelwiseLinear(nn.Module):
    """Fully connected layer within each channel (section 3.1): m n⁴ weights for m channels of n x n features.

    Args:
        channels: Number of channels, m.
        side: Side of the features in pixels, n.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, side**2, side**2))
        self.bias = nn.Parameter(torch.zeros(channels, side**2, 1))
        nn.init.normal_(self.weight, std=DEVIATION)

    def forward(self, features: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c n n"]:
        """Connect every value of a channel with every value of the same channel only."""
        flat = features.flatten(2)[..., None]
        connected: Tensor = self.weight @ flat + self.bias
        return connected.view_as(features)


class Generator(nn.Module):
    """Encoder, channel-wise fully connected layer or bottleneck, decoder.

    The fully connected layer fixes the resolution, so other images are resized to it and back. Raises `InputError` for
    arguments out of range.

    Args:
        width: Number of channels of the first layer; all others scale with it (64 in the authors' code).
        size: Side in pixels of the images that the network works on: a power of two, at least 16.
        bottleneck: None for the channel-wise layer (section 3.1), or the number of values that all features are reduced
            to in its place (figure 9 and the authors' command: 4000).
    """

    def __init__(self, width: int = 64, size: int = 128, bottleneck: int | None = None) -> None:
        super().__init__()
        check_form("model", width, size)
        if bottleneck is not None and bottleneck < 1:
            raise InputError(f"model.bottleneck={bottleneck}: must be at least 1, or null for the channel-wise layer")
        widths = _widths(width, size)
        self.encoder = _encoder(widths)
        deepest = widths[-1]
        # The 1x1 convolution mixes channels, which the channel-wise layer keeps apart (section 3.1).
        joint: list[nn.Module] = [ChannelwiseLinear(deepest, SMALLEST), nn.Conv2d(deepest, deepest, 1, bias=False)]
        if bottleneck is not None:
            joint = [
                nn.Conv2d(deepest, bottleneck, SMALLEST, bias=False),
                nn.BatchNorm2d(bottleneck),
                nn.LeakyReLU(LEAK),
                nn.ConvTranspose2d(bottleneck, deepest, SMALLEST, bias=False),
            ]
        self.bottleneck = nn.Sequential(*joint, nn.BatchNorm2d(deepest), nn.ReLU())
        self.decoder = nn.Sequential(*(_up(a, b) for a, b in pairwise(widths[::-1])))
        self.output = nn.ConvTranspose2d(widths[0], 3, 4, stride=2, padding=1)
        self.size = size
        initialise_normal(self)

    def forward(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint the images; always one sample, whatever `samples` is."""
        fill = torch.tensor(FILL, device=known.device, dtype=known.dtype).view(1, 3, 1, 1)
        filled = resize(torch.where(mask > 0, fill, known), self.size, self.size)
        raw = torch.tanh(self.output(self.decoder(self.bottleneck(self.encoder(filled)))))
        return InpaintingOutput(raw=resize(raw, *known.shape[-2:]).clamp(-1, 1)[:, None])


class Discriminator(nn.Module):
    """Strided convolutions down to 4x4 pixels and one more to a logit of "real".

    Args are those of `Generator`.
    """

    patch: int | None = None  # only whole images are judged

    def __init__(self, width: int = 64, size: int = 128) -> None:
        super().__init__()
        check_form("discriminator", width, size)
        widths = _widths(width, size)
        self.features = _encoder(widths)
        self.judge = ScoreConv2d(widths[-1], 1, SMALLEST)
        initialise_normal(self)

    def forward(
        self, images: Float[Tensor, "n 3 h w"], corners: Int[Tensor, "n 2"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Return each image's logit of "real"."""
        logits: Tensor = self.judge(self.features(images)).flatten(1)
        return logits


def check_form(key: str, width: int, size: int) -> None:
    """Raise `InputError` unless a network of this width and size can be built."""
    if width < 1:
        raise InputError(f"{key}.width={width}: must be at least 1 (the paper's is 64)")
    if size < 4 * SMALLEST or size & (size - 1):
        raise InputError(f"{key}.size={size}: must be a power of two of at least {4 * SMALLEST} (the paper's is 128)")


def _widths(width: int, size: int) -> list[int]:
    """Channels after each halving from `size` to 4 pixels, such as 64, 64, 128, 256, 512 for 128 pixels."""
    halvings = (size // SMALLEST).bit_length() - 1
    return [width, *(width * 2**n for n in range(halvings - 1))]


def _encoder(widths: list[int]) -> nn.Sequential:
    """4x4 convolutions of stride 2; the first is not normalised (authors' code)."""
    blocks = []
    for i, (inputs, outputs) in enumerate(pairwise((3, *widths))):
        layers = [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=i == 0), nn.BatchNorm2d(outputs)]
        blocks.append(nn.Sequential(*layers[: 2 if i else 1], nn.LeakyReLU(LEAK)))
    return nn.Sequential(*blocks)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """Transposed 4x4 convolution of stride 2."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def initialise_normal(module: nn.Module) -> None:
    """Draw convolution weights from N(0, 0.02) and normalisation scales from N(1, 0.02); set biases to zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, DEVIATION)
