"""A warning when the discriminator's loss, or the generator's gradient, stays near zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from torch import Tensor

ADVICE = {
    "discriminator_loss": (
        "the discriminator tells outputs from originals without fail, and the generator has little to learn from "
        "it; try "
        "a smaller rate for it (optim.discriminator_optimizer), fewer of its steps (schedule.phases: "
        "discriminator_steps), another "
        "form of loss (loss.discriminator.form=hinge with loss.generator.adversarial.form=linear), or a larger "
        "loss.generator.adversarial.weight"
    ),
    "generator_gradient": (
        "the generator hardly moves any more; try larger weights in loss.generator, "
        "loss.generator.adversarial.form=non_saturating where it is saturating, or a discriminator that wins less: a "
        "smaller "
        "rate for it (optim.discriminator_optimizer) or another form of loss (loss.discriminator.form=hinge)"
    ),
}


class Stretch:
    """How many batches running a value has been under a threshold, counted on the value's device.

    Reading the count waits for the device, so that is done only once every `batches` batches; the longest count since
    then tells of a stretch that began and ended in between.
    """

    def __init__(self, threshold: float, batches: int) -> None:
        self.threshold, self.batches = threshold, batches
        self.seen, self.warned = 0, False
        self.counts: Tensor | None = None  # now, and the longest since it was last read

    def reached(self, value: Tensor) -> bool:
        """Takes one batch's value; True once a stretch, when it is known to be `batches` long."""
        counts = torch.zeros(2, device=value.device) if self.counts is None else self.counts.to(value.device)
        now = torch.where(value.detach() < self.threshold, counts[0] + 1, torch.zeros_like(counts[0]))
        self.counts = torch.stack([now, torch.maximum(now, counts[1])])
        self.seen += 1
        if self.seen % self.batches:
            return False
        still, longest = self.counts.tolist()
        self.counts = self.counts[:1].repeat(2)
        new = longest >= self.batches and not self.warned
        self.warned = still >= self.batches
        return new

    def state(self) -> dict[str, Any]:
        """All that it knows, as plain data."""
        counts = None if self.counts is None else self.counts.tolist()
        return {
            "threshold": self.threshold,
            "batches": self.batches,
            "seen": self.seen,
            "warned": self.warned,
            "counts": counts,
        }

    def take(self, state: dict[str, Any]) -> None:
        """Takes on what another knew, if it looked for the same."""
        if (state["threshold"], state["batches"]) == (self.threshold, self.batches):
            self.seen, self.warned = state["seen"], state["warned"]
            self.counts = None if state["counts"] is None else torch.tensor(state["counts"])


class CollapseGuard(Callback):
    """Warns, once a stretch, and says what to try; training goes on.

    Args:
        batches: how many batches running make a stretch, of those in which the network steps.
        discriminator_loss: the discriminator's loss is near zero below this, or None not to look. A Wasserstein
            critic's loss is near zero when it knows nothing, so that is never looked at.
        generator_gradient: the norm of the generator's gradient has vanished below this, or None not to look.

    Raises:
        InputError: a number is not positive.
    """

    def __init__(self, batches: int, discriminator_loss: float | None, generator_gradient: float | None) -> None:
        for key, value in {
            "batches": batches,
            "discriminator_loss": discriminator_loss,
            "generator_gradient": generator_gradient,
        }.items():
            if value is not None and not value > 0:
                raise InputError(
                    f"guard.{key}={value}: must be positive" + (", or null not to look" if key != "batches" else "")
                )
        self.watched = {
            key: (name, Stretch(threshold, batches))
            for key, name, threshold in (
                ("discriminator_loss", "train/discriminator/total", discriminator_loss),
                ("generator_gradient", "train/generator/gradient_norm", generator_gradient),
            )
            if threshold is not None
        }

    def state_dict(self) -> dict[str, Any]:
        """The counts, so that a run that goes on warns when an unbroken one would."""
        return {key: stretch.state() for key, (_, stretch) in self.watched.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting; a threshold or a length of other settings begins anew."""
        for key, state in state_dict.items():
            if key in self.watched:
                self.watched[key][1].take(state)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves a Wasserstein critic alone."""
        judge = pl_module.discriminator_loss
        if judge is not None and judge.form == "wasserstein":  # type: ignore[union-attr]
            self.watched.pop("discriminator_loss", None)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts."""
        for key, (name, stretch) in self.watched.items():
            if name in outputs and stretch.reached(outputs[name]):
                rank_zero_warn(
                    f"guard.{key}={stretch.threshold:g}: {name} has been below it for {stretch.batches} batches "
                    f"running (batch {int(pl_module.batches_seen)}): {ADVICE[key]}"  # type: ignore[arg-type]
                )
