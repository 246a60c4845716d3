import math

import pytest
import torch
from torch import nn

from pose_inpaint.errors import InputError
from pose_inpaint.losses import (
    AbsoluteError,
    DiscriminatorLoss,
    GeneratorAdversarial,
    GeneratorLoss,
    MaskError,
    Perceptual,
)
from pose_inpaint.models.networks.vgg16 import VGG16Features
from pose_inpaint.types import Batch, InpaintingOutput


class Mean(nn.Module):
    """Discriminator whose logit is the image's mean times a weight."""

    patch = None

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, images, corners=None):
        return self.weight * images.mean((1, 2, 3))[:, None]


@pytest.fixture
def batch():
    target = torch.zeros(1, 3, 2, 2)
    mask = torch.zeros(1, 1, 2, 2)
    mask[0, 0, 0, 0] = 1
    return Batch(target, mask, ("a.png",))


@pytest.fixture
def output():
    raw = torch.full((1, 1, 3, 2, 2), 0.25)
    raw[..., 0, 0] = -1
    return InpaintingOutput(raw, predicted_mask=torch.full((1, 1, 2, 2), 0.5))


@pytest.mark.parametrize(
    ("image", "region", "expected"),
    [
        ("raw", "whole", (1 + 3 * 0.25) / 4),
        ("raw", "hole", 1 / 4),
        ("raw", "known", 3 * 0.25 / 4),
        ("composite", "whole", 1 / 4),
        ("composite", "known", 0),
    ],
)
def test_absolute_error_by_hand(batch, output, image, region, expected):
    assert AbsoluteError(1, image, region)(batch, output, None).item() == pytest.approx(expected)


def test_mask_error_by_hand(batch, output):
    assert MaskError(1)(batch, output, None).item() == pytest.approx(0.25)


def test_mask_error_without_a_mask_says_how_to_get_one(batch, output):
    with pytest.raises(InputError, match=r"model\.predict_mask=true or loss\.alpha=0"):
        MaskError(1)(batch, InpaintingOutput(output.raw), None)


def test_generator_adversarial_by_hand(batch, output):
    raw_logit = 2 * (3 * 0.25 - 1) / 4
    result = GeneratorAdversarial(1, "raw")(batch, output, Mean()).item()
    assert result == pytest.approx(-math.log(1 / (1 + math.exp(-raw_logit))))
    composite_logit = 2 * -1 / 4
    result = GeneratorAdversarial(1)(batch, output, Mean()).item()
    assert result == pytest.approx(-math.log(1 / (1 + math.exp(-composite_logit))))


def test_generator_adversarial_needs_a_discriminator(batch, output):
    with pytest.raises(InputError, match="discriminator=discriminator2018"):
        GeneratorAdversarial(1)(batch, output, None)


def test_discriminator_loss_by_hand(batch, output):
    result = DiscriminatorLoss(beta=0.01)(batch, output, Mean())
    probability = 1 / (1 + math.exp(0.5))  # of the composite, whose logit is -0.5
    assert result["real"].item() == pytest.approx(math.log(2))  # logit 0
    assert result["fake"].item() == pytest.approx(-math.log(1 - probability))
    assert result["total"].item() == pytest.approx(math.log(2) - 0.01 * math.log(1 - probability))
    assert result["accuracy"].item() == 0.5


def test_losses_stay_finite_for_huge_logits(batch, output):
    discriminator = Mean()
    discriminator.weight.data.fill_(1e6)
    assert DiscriminatorLoss(1)(batch, output, discriminator)["total"].isfinite()
    assert GeneratorAdversarial(1)(batch, output, discriminator).isfinite()


def test_only_the_terms_of_the_phase_are_summed(batch, output):
    loss = GeneratorLoss({"hole": AbsoluteError(6, "raw", "hole"), "known": AbsoluteError(1, "raw", "known")})
    both = loss(batch, output, None, ["hole", "known"])
    assert both["total"].item() == pytest.approx(6 * 0.25 + 0.1875)
    assert both["hole"].item() == pytest.approx(0.25)  # logged before weighting
    assert set(loss(batch, output, None, ["known"])) == {"known", "total"}


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf])
def test_invalid_weights_are_rejected(weight):
    with pytest.raises(InputError, match="finite number of at least 0"):
        AbsoluteError(weight)
    with pytest.raises(InputError, match=r"loss\.beta"):
        DiscriminatorLoss(weight)


class Identity(nn.Module):
    """Features equal to the images, and a record of every call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, images):
        self.calls.append((images.detach().clone(), torch.is_grad_enabled()))
        return [images, 2 * images]


def test_perceptual_by_hand_on_either_scale(batch, output):
    mean_square = (1 + 3 * 0.25**2) / 4
    for scale, factor in (("0..255", 127.5), ("-255..255", 255)):
        result = Perceptual(1, Identity(), "raw", scale)(batch, output, None).item()
        assert result == pytest.approx((1 + 4) * factor**2 * mean_square)


def test_perceptual_takes_the_originals_features_once_without_gradient(batch, output):
    features = Identity()
    Perceptual(1, features, "raw")(batch, output, None)
    (original, original_grad), (result, result_grad) = features.calls
    assert original.eq(127.5).all()
    assert not original_grad
    assert result_grad
    assert result[0, 0].flatten().tolist() == [0, *[127.5 * 1.25] * 3]


def test_perceptual_gradient_reaches_the_image_and_no_weight(batch):
    raw = torch.zeros(1, 1, 3, 32, 32, requires_grad=True)
    batch = Batch(torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32), ("a",))
    term = Perceptual(1, VGG16Features("random", ["conv1_2"]))
    term(batch, InpaintingOutput(raw), None).backward()
    assert raw.grad.abs().sum() > 0
    assert not list(term.parameters())
    assert not term.state_dict()  # no checkpoint carries VGG16
