"""Adversarial losses and penalties against values by hand, on discriminators with known scores and gradients."""

import math

import pytest
import torch
from torch import nn

from pose_inpaint.errors import InputError
from pose_inpaint.losses import DiscriminatorLoss, GeneratorAdversarial, GradientPenalty, R1Penalty
from pose_inpaint.losses.adversarial import accuracy
from pose_inpaint.losses.discriminator_views import Views, inpainted_views
from pose_inpaint.types import Batch, InpaintingOutput


class Linear(nn.Module):
    """Two scores: `slope` times the sum of the whole image, and the sum of the local patch; records its corners."""

    def __init__(self, slope=0.5, patch=2):
        super().__init__()
        self.slope, self.patch = nn.Parameter(torch.tensor(slope)), patch
        self.seen = []

    def forward(self, images, corners=None):
        self.seen.append(corners)
        whole = self.slope * images.sum((1, 2, 3))
        if self.patch is None:
            return whole[:, None]
        local = [p[:, r : r + self.patch, c : c + self.patch].sum() for p, (r, c) in zip(images, corners, strict=True)]
        return torch.stack([whole, torch.stack(local)], dim=1)


@pytest.fixture
def batch():
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 0, 0] = mask[1, :, 3, 2:] = 1
    return Batch(torch.full((2, 3, 4, 4), 0.1), mask, ("a", "b"))


@pytest.fixture
def output():
    return InpaintingOutput(torch.full((2, 1, 3, 4, 4), -0.2))


def softplus(value):
    return math.log(1 + math.exp(value))


@pytest.mark.parametrize(
    ("form", "expected"),
    [("non_saturating", lambda s: softplus(-s)), ("saturating", lambda s: -softplus(s)), ("linear", lambda s: -s)],
)
def test_forms_of_the_generators_loss(batch, output, form, expected):
    result = GeneratorAdversarial(1, "raw", form)(batch, output, Linear(patch=None))
    assert result.item() == pytest.approx(expected(0.5 * -0.2 * 48), rel=1e-5)


@pytest.mark.parametrize(
    ("form", "real", "fake"),
    [
        ("logistic", lambda s: softplus(-s), softplus),
        ("wasserstein", lambda s: -s, lambda s: s),
        ("hinge", lambda s: max(0, 1 - s), lambda s: max(0, 1 + s)),
    ],
)
@pytest.mark.parametrize("slope", [0.5, -0.05])
def test_forms_of_the_discriminators_loss(batch, output, form, real, fake, slope):
    beta = 1 if form == "wasserstein" else 0.3
    result = DiscriminatorLoss(beta, "raw", form)(batch, output, Linear(slope, patch=None))
    expected = real(slope * 0.1 * 48), fake(slope * -0.2 * 48)
    assert result["real"].item() == pytest.approx(expected[0], rel=1e-5)
    assert result["fake"].item() == pytest.approx(expected[1], rel=1e-5)
    assert result["total"].item() == pytest.approx(expected[0] + beta * expected[1], rel=1e-5)


def test_scores_of_an_image_add_up(batch, output):
    discriminator = Linear(0.5, patch=2)
    both = GeneratorAdversarial(1, "raw", "linear")(batch, output, discriminator)
    assert both.item() == pytest.approx(0.5 * 0.2 * 48 + 0.2 * 12, rel=1e-5)


@pytest.mark.parametrize(
    ("form", "shift", "right"),
    [
        ("logistic", 0, 0.625), ("hinge", 0, 0.625), ("wasserstein", 0, 0.75),  # 3 of 4 originals, 1 of 2 outputs
        ("logistic", 5, 0.5), ("hinge", -5, 0.5), ("wasserstein", 5, 0.75),
    ],
)  # fmt: skip
def test_accuracy_by_hand(form, shift, right):
    real, fake = torch.tensor([[2.0], [1.0], [0.5], [0.0]]), torch.tensor([[0.5], [-1.0]])
    assert accuracy(real + shift, fake + shift, form).item() == right


def test_accuracy_of_a_wasserstein_critic_is_the_share_of_ordered_pairs():
    real, fake = torch.tensor([[3.0], [1.0]]), torch.tensor([[2.0], [0.0]])
    assert accuracy(real, fake, "wasserstein").item() == 0.75
    assert accuracy(real, fake - 2.5, "logistic").item() == 1


def test_real_views_are_the_outputs_or_another_images(batch, output):
    for choice, roll in (("same", 0), ("other", 1)):
        discriminator = Linear(patch=2)
        DiscriminatorLoss(1, "raw", real_views=choice)(batch, output, discriminator)
        real, fake = discriminator.seen
        assert fake.tolist() == [[0, 0], [2, 2]]
        assert torch.equal(real, fake.roll(roll, 0))


def test_samples_share_the_local_patch_of_their_image(batch):
    raw = torch.arange(4.0).view(2, 2, 1, 1, 1).expand(2, 2, 3, 4, 4)
    views = inpainted_views(batch, InpaintingOutput(raw), "raw", torch.tensor([[0, 0], [2, 2]]))
    assert views.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert views.corners.tolist() == [[0, 0], [0, 0], [2, 2], [2, 2]]
    assert torch.equal(views.mask, batch.mask[[0, 0, 1, 1]])


def views(batch, images):
    return Views(images, batch.mask, torch.tensor([[0, 0], [2, 2]]))


def test_gradient_penalty_by_hand(batch, output):
    real, fake = views(batch, batch.target), views(batch, output.raw[:, 0])
    # The gradient of the linear discriminator is its slope at all 48 values and, for the local score, 1 at 12 of them.
    expected = (0.5 * math.sqrt(48) - 1) ** 2 + (math.sqrt(12) - 1) ** 2
    assert GradientPenalty()(Linear(), real, fake).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_taken_with_the_outputs_local_patches(batch, output):
    real = Views(batch.target, batch.mask, torch.tensor([[2, 2], [0, 0]]))  # another image's, as with real_views=other
    discriminator = Linear()
    GradientPenalty(region="hole")(discriminator, real, views(batch, output.raw[:, 0]))
    (seen,) = discriminator.seen
    assert seen.tolist() == [[0, 0], [2, 2]]
    R1Penalty(1)(discriminator, real, views(batch, output.raw[:, 0]))
    assert discriminator.seen[1].tolist() == [[2, 2], [0, 0]]  # R1 is of the originals, with theirs
    penalties = {"smooth": GradientPenalty(), "r1": R1Penalty(1)}
    discriminator = Linear()
    DiscriminatorLoss(1, "raw", "wasserstein", "other", penalties)(batch, output, discriminator)
    ours, theirs = [[0, 0], [2, 2]], [[2, 2], [0, 0]]
    assert [corners.tolist() for corners in discriminator.seen] == [theirs, ours, ours, theirs]


def test_gradient_penalty_in_holes_by_hand(batch, output):
    real, fake = views(batch, batch.target), views(batch, output.raw[:, 0])
    first, second = 3, 6  # masked values of each image, all inside its local patch
    expected = sum((slope * math.sqrt(n) - 1) ** 2 / 2 for slope in (0.5, 1) for n in (first, second))
    assert GradientPenalty(region="hole")(Linear(), real, fake).item() == pytest.approx(expected, rel=1e-5)


class Square(nn.Module):
    """Half the squared norm of an image, whose gradient is the image itself."""

    patch = None

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, images, corners=None):
        return self.factor * images.square().sum((1, 2, 3))[:, None] / 2


def test_the_penalised_point_lies_between_original_and_output():
    mask = torch.ones(1, 1, 1, 1)
    real, fake = (Views(torch.tensor([x]).view(1, 3, 1, 1), mask, None) for x in ([2.0, 0, 0], [5.0, 0, 0]))
    torch.manual_seed(1)
    result = {math.sqrt(GradientPenalty()(Square(), real, fake).item()) + 1 for _ in range(50)}
    assert 2 <= min(result) < 2.4
    assert 4.6 < max(result) <= 5


def test_r1_is_half_the_squared_gradient_at_originals(batch, output):
    real, fake = views(batch, batch.target), views(batch, output.raw[:, 0])
    assert R1Penalty(10)(Linear(), real, fake).item() == pytest.approx((0.25 * 48 + 12) / 2, rel=1e-5)


@pytest.mark.parametrize("penalty", [GradientPenalty(10), R1Penalty(10)])
def test_penalties_train_only_the_discriminator(batch, penalty):
    raw = torch.full((2, 1, 3, 4, 4), -0.2, requires_grad=True)
    discriminator = Square()
    loss = DiscriminatorLoss(1, form="wasserstein", penalties={"smooth": penalty})
    values = loss(batch, InpaintingOutput(raw).detach(), discriminator)
    assert values["total"].item() == pytest.approx(
        (values["real"] + values["fake"] + 10 * values["smooth"]).item(), rel=1e-5
    )
    (gradient,) = torch.autograd.grad(values["smooth"], discriminator.factor)
    assert gradient.abs() > 0
    assert raw.grad is None


def test_penalties_can_be_computed_without_gradients(batch, output):
    with torch.no_grad():
        result = GradientPenalty()(Linear(), views(batch, batch.target), views(batch, output.raw[:, 0]))
    assert not result.requires_grad


def test_penalties_of_weight_zero_are_skipped():
    loss = DiscriminatorLoss(1, penalties={"a": GradientPenalty(0), "b": None, "c": R1Penalty(1)})
    assert list(loss.penalties) == ["c"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GeneratorAdversarial(1, form="wgan"), "form=wgan: not one of non_saturating, saturating, linear"),
        (lambda: DiscriminatorLoss(1, form="wgan"), "form=wgan: not one of logistic, wasserstein, hinge"),
        (lambda: DiscriminatorLoss(1, real_views="all"), "real_views=all: not one of same, other"),
        (
            lambda: DiscriminatorLoss(0.5, form="wasserstein"),
            r"loss\.beta=0\.5: a Wasserstein critic's loss is unbounded unless both terms weigh the same",
        ),
        (lambda: GradientPenalty(-1), "GradientPenalty's weight=-1: must be a finite number"),
        (lambda: GradientPenalty(region="holes"), "region=holes"),
    ],
)
def test_misspelt_choices_are_rejected(make, text):
    with pytest.raises(InputError, match=text):
        make()
