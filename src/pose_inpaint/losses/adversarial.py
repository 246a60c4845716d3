"""The two sides of the adversarial game, on the critic's logits.

With p = sigmoid(logit): -log p = softplus(-logit) and -log(1 - p) = softplus(logit), which stay finite for any logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional as F

from pose_inpaint.errors import InputError
from pose_inpaint.losses.term import LossTerm, check_weight
from pose_inpaint.types import Picture, check_choice

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.types import Batch, Completion


class GeneratorAdversarial(LossTerm):
    """-log p(I'): the generator wants its picture taken for real (Goodfellow et al. 2014, the non-saturating form).

    Args:
        weight: what the term counts.
        picture: which picture the critic is shown.
    """

    def __init__(self, weight: float, picture: Picture = "composite") -> None:
        super().__init__(weight)
        check_choice("loss: GeneratorAdversarial's picture", picture, Picture)
        self.picture = picture

    def forward(self, batch: Batch, completion: Completion, critic: nn.Module | None) -> Float[Tensor, ""]:
        """The mean over the batch, at least 0.

        Raises:
            InputError: the system has no critic.
        """
        if critic is None:
            message = "critic: the adversarial term needs one; choose critic=discriminator2018, or leave the term out"
            raise InputError(message)
        return F.softplus(-critic(completion.picture(self.picture, batch).flatten(0, 1))).mean()


class DiscriminatorLoss(nn.Module):
    """L_d = -log p(I) - beta log(1 - p(I')): the slides' page on the adversarial loss.

    Args:
        beta: the weight of the completed pictures' half; 0.01 on the slides, 6 in the release.
        picture: which completed picture the critic is shown.
    """

    def __init__(self, beta: float, picture: Picture = "composite") -> None:
        super().__init__()
        check_choice("loss: DiscriminatorLoss's picture", picture, Picture)
        self.beta, self.picture = check_weight("loss.beta", beta), picture

    def forward(self, batch: Batch, completion: Completion, critic: nn.Module) -> dict[str, Float[Tensor, ""]]:
        """Both halves, their weighted sum as "total", and "right", the share of pictures judged rightly.

        Originals and completions are judged in two passes, each normalised by its own batch statistics.
        """
        real = critic(batch.target)
        fake = critic(completion.picture(self.picture, batch).flatten(0, 1))
        loss_real, loss_fake = F.softplus(-real).mean(), F.softplus(fake).mean()
        right = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        return {"real": loss_real, "fake": loss_fake, "total": loss_real + self.beta * loss_fake, "right": right}
