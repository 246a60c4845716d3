"""Warning when the discriminator's loss, or the generator's gradient, stays near zero."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

ADVICE = {
    "discriminator_loss": (
        "the discriminator always tells outputs from originals, and the generator learns little from it; try a lower "
        "learning rate for it (optim.discriminator_optimizer), fewer discriminator_steps in schedule.phases, another "
        "loss (loss.discriminator.form=hinge with loss.generator.adversarial.form=linear), or a larger "
        "loss.generator.adversarial.weight"
    ),
    "generator_gradient": (
        "the generator hardly changes any more; try larger weights in loss.generator, "
        "loss.generator.adversarial.form=non_saturating instead of saturating, or a weaker discriminator: a lower "
        "learning rate for it (optim.discriminator_optimizer) or another loss (loss.discriminator.form=hinge)"
    ),
}


class CollapseGuard(Callback):
    """Warns when a value stays below its threshold, without stopping the training.

    Of the batches in which a network steps, every `trainer.log_every_n_steps`-th is read, since reading a value waits
    for the device.

    Args:
        batches: Number of batches in which the network steps, for which every value read must be below the threshold.
        discriminator_loss: Threshold of the discriminator's loss, or None not to check it. The loss of a Wasserstein
            critic is near zero when it has learned nothing, so it is never checked.
        generator_gradient: Threshold of the norm of the generator's gradient, or None not to check it.
    """

    def __init__(self, batches: int, discriminator_loss: float | None, generator_gradient: float | None) -> None:
        self.batches = batches
        thresholds = {
            "discriminator_loss": ("train/discriminator/total", discriminator_loss),
            "generator_gradient": ("train/generator/gradient_norm", generator_gradient),
        }
        self.watched = {key: (name, low) for key, (name, low) in thresholds.items() if low is not None}
        self.steps, self.batches_low = dict.fromkeys(self.watched, 0), dict.fromkeys(self.watched, 0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ignore the loss of a Wasserstein critic."""
        loss = pl_module.discriminator_loss
        if loss is not None and loss.form == "wasserstein":  # type: ignore[union-attr]
            self.watched.pop("discriminator_loss", None)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batches for which a value has been low, and warn once when `batches` is reached."""
        interval = max(1, trainer.log_every_n_steps)  # type: ignore[attr-defined]  # 0 logs nothing
        for key, (name, threshold) in self.watched.items():
            if name not in outputs:  # the network did not step
                continue
            self.steps[key] += 1
            if self.steps[key] % interval:
                continue
            before = self.batches_low[key]
            self.batches_low[key] = before + interval if float(outputs[name]) < threshold else 0
            if before < self.batches <= self.batches_low[key]:
                rank_zero_warn(
                    f"guard.{key}={threshold:g}: {name} has been below it for {self.batches_low[key]} batches "
                    f"(batch {int(pl_module.batches_seen)}): {ADVICE[key]}"  # type: ignore[arg-type]
                )
