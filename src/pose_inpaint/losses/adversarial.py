"""The two sides of the adversarial game, on the discriminator's scores.

With p = sigmoid(score): -log p = softplus(-score) and -log(1 - p) = softplus(score), which stay finite for any score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from torch import nn
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.losses.base import LossTerm, check_weight
from pose_inpaint.losses.discriminator_views import Views, inpainted_views, local_corners
from pose_inpaint.types import ImageKind, check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.losses.gradient_penalty import Penalty
    from pose_inpaint.types import Batch, InpaintingOutput

GeneratorForm = Literal["non_saturating", "saturating", "linear"]
DiscriminatorForm = Literal["logistic", "wasserstein", "hinge"]
RealViews = Literal["same", "other"]


class GeneratorAdversarial(LossTerm):
    """The generator wants its image taken for real.

    Args:
        weight: what the term counts.
        image: which image the discriminator is shown.
        form: "non_saturating": -log p(I') (Goodfellow et al. 2014); "saturating": log(1 - p(I')), the minimax game as
            it is written; "linear": minus the score, for Wasserstein and hinge discriminators.
    """

    def __init__(self, weight: float, image: ImageKind = "composite", form: GeneratorForm = "non_saturating") -> None:
        super().__init__(weight)
        check_choice("loss: GeneratorAdversarial's image", image, ImageKind)
        check_choice("loss: GeneratorAdversarial's form", form, GeneratorForm)
        self.image, self.form = image, form

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module | None) -> Float[Tensor, ""]:
        """The mean over the batch, summed over the discriminator's scores of an image.

        Raises:
            InputError: the method has no discriminator.
        """
        if discriminator is None:
            raise InputError(
                "discriminator: the adversarial term needs one; choose one such as discriminator=discriminator2018, "
                "or leave it out"
            )
        views = inpainted_views(batch, output, self.image, local_corners(discriminator, batch))
        scores = views.judged_by(discriminator)
        if self.form == "linear":
            loss = -scores
        else:
            loss = F.softplus(-scores) if self.form == "non_saturating" else -F.softplus(scores)
        return loss.mean(0).sum()


class DiscriminatorLoss(nn.Module):
    """The discriminator's loss: its error on originals plus `beta` times its error on outputs, plus penalties.

    With the logistic form this is L_d = -log p(I) - beta log(1 - p(I')), the slides' page on the adversarial loss.

    Args:
        beta: the weight of the inpainted images' half; 0.01 on the slides, 6 in the release.
        image: which inpainted image the discriminator is shown.
        form: "logistic"; "wasserstein": minus the score of originals plus that of outputs (Arjovsky et al. 2017);
            "hinge": max(0, 1 - score) and max(0, 1 + score) (Lim and Ye 2017).
        real_views: where a local patch of an original lies: where its output's does ("same"), or around a hole of
            another image's mask ("other"), as Iizuka et al. 2017 draw a second mask for originals.
        penalties: further terms on the discriminator, by name.
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
                f"loss.beta={beta}: a Wasserstein critic's loss has no bound unless both halves count the same; give 1"
            )
        counting = {name: penalty for name, penalty in (penalties or {}).items() if penalty and penalty.weight > 0}
        self.real_views, self.penalties = real_views, nn.ModuleDict(counting)

    def forward(self, batch: Batch, output: InpaintingOutput, discriminator: nn.Module) -> dict[str, Float[Tensor, ""]]:
        """Both halves, each penalty, the weighted sum as "total", and "accuracy", the share of right answers.

        Originals and outputs are judged in two passes, each normalised by its own batch statistics. A right answer
        is a score on the right side of 0 or, of a Wasserstein critic, whose scores have no zero, a pair of an original
        and an output in the right order.
        """
        corners = local_corners(discriminator, batch)
        fakes = inpainted_views(batch, output, self.image, corners)
        other = self.real_views == "other"
        real_corners = corners.roll(1, 0) if corners is not None and other else corners
        reals = Views(batch.target, batch.mask, real_corners)
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
    """The error of each score."""
    if form == "wasserstein":
        return -real, fake
    if form == "hinge":
        return F.relu(1 - real), F.relu(1 + fake)
    return F.softplus(-real), F.softplus(fake)


def accuracy(real: Float[Tensor, "n k"], fake: Float[Tensor, "m k"], form: DiscriminatorForm) -> Float[Tensor, ""]:
    """The share of right answers, in [0, 1]; a score of exactly 0, or a tie, is wrong.

    Logistic and hinge: the mean of the share of originals above 0 and that of outputs below 0. Wasserstein: the
    share of pairs, each original with each output, that are in order, as only differences of such scores mean
    anything.
    """
    if form == "wasserstein":
        return (real[:, None] > fake[None]).float().mean()
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
