"""Adversarial losses of the generator and the discriminator, computed from the discriminator's scores.

With p = sigmoid(score): -log p = softplus(-score) and -log(1 - p) = softplus(score), which stay finite for any score.
"""

from collections.abc import Mapping
from typing import Literal, cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pose_inpaint.config.block_schema import check_weight
from pose_inpaint.errors import InputError
from pose_inpaint.losses.base import LossTerm
from pose_inpaint.losses.discriminator_views import Views, inpainted_views, local_corners
from pose_inpaint.losses.gradient_penalty import Penalty
from pose_inpaint.types import Batch, ImageKind, InpaintingOutput, check_choice

GeneratorForm = Literal["non_saturating", "saturating", "linear"]
DiscriminatorForm = Literal["logistic", "wasserstein", "hinge"]
RealViews = Literal["same", "other"]


class GeneratorAdversarial(LossTerm):
    """Adversarial loss of the generator: low where the discriminator takes its image for an original.

    Args:
        weight: Weight of the term in the sum.
        image: Image that the discriminator scores.
        form: "non_saturating": -log p(I') (Goodfellow et al. 2014); "saturating": log(1 - p(I')), the original minimax
            game; "linear": minus the score, for Wasserstein and hinge discriminators.
    """

    def __init__(self, weight: float, image: ImageKind = "composite", form: GeneratorForm = "non_saturating") -> None:
        super().__init__(weight)
        check_choice("loss: GeneratorAdversarial's image", image, ImageKind)
        check_choice("loss: GeneratorAdversarial's form", form, GeneratorForm)
        self.image, self.form = image, form

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """Mean over the batch, summed over an image's scores; raise `InputError` without a discriminator."""
        if discriminator is None:
            raise InputError(
                "discriminator: the adversarial term needs one; choose one such as discriminator=discriminator2018, "
                "or remove the term"
            )
        # Nothing is detached here: the gradient flows through the scores into the generator. The training step freezes
        # the discriminator's parameters meanwhile.
        views = inpainted_views(batch, output, self.image, local_corners(discriminator, batch))
        scores = views.judged_by(discriminator)
        losses = {"linear": -scores, "non_saturating": F.softplus(-scores), "saturating": -F.softplus(scores)}
        return losses[self.form].mean(0).sum()


class DiscriminatorLoss(nn.Module):
    """Loss of the discriminator: error on originals plus `beta` times error on outputs, plus penalties.

    The logistic form is L_d = -log p(I) - beta log(1 - p(I')), as on the slides' page on the adversarial loss.

    Args:
        beta: Weight of the error on outputs; 0.01 on the slides, 6 in the authors' code. Must be 1 for "wasserstein".
        image: Inpainted image that the discriminator scores.
        form: "logistic"; "wasserstein": minus the score of originals plus that of outputs (Arjovsky et al. 2017);
            "hinge": max(0, 1 - score) and max(0, 1 + score) (Lim and Ye 2017).
        real_views: Position of an original's local patch: that of its output ("same"), or around a hole of another
            image's mask ("other"), as Iizuka et al. 2017 draw a second mask for originals.
        penalties: Gradient penalties by name.
    """

    def __init__(
        self,
        beta: float,
        image: ImageKind = "composite",
        form: DiscriminatorForm = "logistic",
        real_views: RealViews = "same",
        penalties: Mapping[str, Penalty | None] | None = None,
    ) -> None:
        super().__init__()
        check_choice("loss: DiscriminatorLoss's image", image, ImageKind)
        check_choice("loss: DiscriminatorLoss's form", form, DiscriminatorForm)
        check_choice("loss: DiscriminatorLoss's real_views", real_views, RealViews)
        self.beta, self.image, self.form = check_weight("loss.beta", beta), image, form
        if form == "wasserstein" and beta != 1:
            raise InputError(
                f"loss.beta={beta}: a Wasserstein critic's loss is unbounded unless both terms weigh the same; give 1"
            )
        active = {name: penalty for name, penalty in (penalties or {}).items() if penalty and penalty.weight > 0}
        self.real_views, self.penalties = real_views, nn.ModuleDict(active)

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module) -> dict[str, Float[Tensor, ""]]:
        """Unweighted terms "real", "fake" and each penalty, their weighted sum "total", and the "accuracy".

        `output` must be detached, since nothing here stops gradients from reaching the generator.
        """
        # One draw of corners serves both passes, so that position can't tell originals from outputs.
        corners = local_corners(discriminator, batch)
        fakes = inpainted_views(batch, output, self.image, corners)
        real_corners = corners.roll(1, 0) if corners is not None and self.real_views == "other" else corners
        reals = Views(batch.target, batch.mask, real_corners)
        # Two passes, each normalised by its own batch statistics. The order matters: batch normalisation's running
        # statistics weigh the last pass most.
        real, fake = reals.judged_by(discriminator), fakes.judged_by(discriminator)
        loss_real, loss_fake = (error.mean(0).sum() for error in discriminator_errors(real, fake, self.form))
        values = {"real": loss_real, "fake": loss_fake}
        total = loss_real + self.beta * loss_fake
        for name, module in self.penalties.items():
            penalty = cast("Penalty", module)
            values[name] = penalty(discriminator, reals, fakes)
            total = total + penalty.weight * values[name]
        return {**values, "total": total, "accuracy": accuracy(real, fake, self.form)}


def discriminator_errors(
    real: Float[Tensor, "n k"], fake: Float[Tensor, "m k"], form: DiscriminatorForm
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "m k"]]:
    """Error of each score, before averaging."""
    if form == "wasserstein":
        return -real, fake
    if form == "hinge":
        return F.relu(1 - real), F.relu(1 + fake)
    return F.softplus(-real), F.softplus(fake)


def accuracy(real: Float[Tensor, "n k"], fake: Float[Tensor, "m k"], form: DiscriminatorForm) -> Float[Tensor, ""]:
    """Accuracy of the discriminator, in [0, 1]; a score of exactly 0, or a tie, counts as wrong.

    Logistic and hinge: the mean of the share of originals above 0 and that of outputs below 0. Wasserstein: the share
    of pairs (original, output) in which the original scores higher, since only differences of such scores have meaning.
    """
    if form == "wasserstein":
        return (real[:, None] > fake[None]).float().mean()
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
