"""Feature matching against values by hand, and with every discriminator of the package."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.losses import FeatureMatching
from pose_inpaint.losses.discriminator_views import Views, local_corners
from pose_inpaint.losses.feature_matching import feature_maps
from pose_inpaint.models.networks import context_encoder, contextual_attention, glcic, unet2018
from pose_inpaint.training.factory import build_generator_loss
from pose_inpaint.types import Batch, InpaintingOutput


class Known(nn.Module):
    """Sum of the channels, halved where negative; then four times that, cut off below 0; then a vector and a score."""

    patch = None

    def __init__(self):
        super().__init__()
        first, second = nn.Conv2d(3, 1, 1, bias=False), nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(first.weight, 1.0)
        nn.init.constant_(second.weight, 4.0)
        self.layers = nn.Sequential(first, nn.LeakyReLU(0.5), second, nn.ReLU())
        self.judge = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.ReLU(), nn.Linear(2, 1))

    def forward(self, images, corners=None):
        return self.judge(self.layers(images))


@pytest.fixture
def batch():
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 0, 0] = mask[1, :, 3, 2:] = 1
    return Batch(torch.full((2, 3, 4, 4), 0.1), mask, ("a", "b"))


@pytest.mark.parametrize(("image", "share"), [("raw", 1), ("composite", 3 / 32)])
def test_the_distance_by_hand(batch, image, share):
    """0.1 gives features 0.3 and 1.2, and -0.4 gives -0.6 and 0; in composites, 3 of 32 pixels differ."""
    output = InpaintingOutput(torch.full((2, 1, 3, 4, 4), -0.4))
    result = FeatureMatching(1, image)(batch, output, Known())
    assert result.item() == pytest.approx(share * (0.9 + 1.2) / 2)


def test_the_gradient_reaches_the_output_alone(batch):
    batch.target.requires_grad_()
    raw = torch.full((2, 1, 3, 4, 4), 0.05, requires_grad=True)
    FeatureMatching(1, "raw")(batch, InpaintingOutput(raw), Known()).backward()
    assert batch.target.grad is None
    # By hand: each of 96 values moves two features of one of 32 places by 1 and 4, so the mean by (1 + 4) / 2 / 32.
    torch.testing.assert_close(raw.grad, torch.full_like(raw, -5 / 64))


def test_samples_are_averaged(batch):
    raw = torch.rand(2, 3, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch.target[1] = -0.3
    term, discriminator = FeatureMatching(1, "raw"), Known()
    each = [term(batch, InpaintingOutput(raw[:, [sample]]), discriminator).item() for sample in range(3)]
    assert term(batch, InpaintingOutput(raw), discriminator).item() == pytest.approx(sum(each) / 3)


@pytest.mark.parametrize(
    ("discriminator", "maps"),
    [
        (lambda: unet2018.Discriminator(2, 32), 5),
        (lambda: context_encoder.Discriminator(2, 32), 3),
        (lambda: glcic.Discriminators(4, 32), 3 + 2),
        (lambda: contextual_attention.Discriminators(2, 32), 4 + 4),
    ],
)
def test_every_discriminator_gives_features(discriminator, maps):
    torch.manual_seed(0)
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, 1:7, 2:8] = mask[:, :, 24:30, 25:31] = 1  # far apart: a patch sees one of them
    batch, judge = Batch(torch.rand(2, 3, 32, 32) * 2 - 1, mask, ("a", "b")), discriminator()
    assert len(feature_maps(judge, Views(batch.target, mask, local_corners(judge, batch)))) == maps
    term = FeatureMatching(1)
    # An original compared with itself shows that both patches are cut around the same hole, which is drawn.
    assert term(batch, InpaintingOutput(batch.target[:, None]), judge).item() == 0
    assert term(batch, InpaintingOutput(-batch.target[:, None]), judge).item() > 0
    assert not any(layer._forward_hooks for layer in judge.modules())


def test_what_gives_no_features_is_refused(batch):
    output = InpaintingOutput(batch.target[:, None])
    with pytest.raises(InputError, match="the feature matching term needs one; choose one such as"):
        FeatureMatching(1)(batch, output, None)
    vectors = Known()
    vectors.layers = nn.Conv2d(3, 1, 1)
    with pytest.raises(InputError, match="discriminator: Known gives no features for the feature matching term"):
        FeatureMatching(1)(batch, output, vectors)
    with pytest.raises(InputError, match="FeatureMatching's image=sharp"):
        FeatureMatching(1, "sharp")


def test_its_block_builds():
    terms = "[squared, absolute, structure, adversarial, feature_matching]"
    phase = f"schedule.phases=[{{name: adversarial, epochs: 1, discriminator: true, terms: {terms}}}]"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["loss=feature_matching", phase, "run_dir=unused"])
    settings = read_settings(config, TrainSettings)
    loss = build_generator_loss(settings.loss, settings.schedule.phases)
    assert set(loss.terms) == {"squared", "absolute", "structure", "adversarial", "feature_matching"}
    assert loss.terms["feature_matching"].weight == 10 * loss.terms["adversarial"].weight
