"""The Lightning module for every method that learns: generator, discriminator, losses, phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pose_inpaint.config.differences import check_same_config
from pose_inpaint.losses.base import all_finite
from pose_inpaint.metrics.per_image import collect
from pose_inpaint.models.layers.batchnorm_recalibration import recalibrate
from pose_inpaint.runtime.rng_state import restore_random_state, take_random_state
from pose_inpaint.training.nonfinite import report_nonfinite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor
    from torch.optim import Optimizer

    from pose_inpaint.config.blocks import Phase
    from pose_inpaint.losses import DiscriminatorLoss, GeneratorLoss
    from pose_inpaint.metrics import ImageMetric
    from pose_inpaint.training.schedule import Schedule
    from pose_inpaint.types import Batch, InpaintingOutput

CHECKPOINT_FORMAT = 3
SIDES = ("generator", "discriminator")


class InpaintingModule(LightningModule):
    """Trains a generator, with a discriminator in the phases that ask for one, by manual optimisation.

    Args:
        generator: an `Inpainter` network.
        discriminator: a `pose_inpaint.types.Discriminator`, or None.
        generator_loss: the generator's terms.
        discriminator_loss: the discriminator's loss, or None.
        schedule: who steps, and on which terms, in which epoch.
        optimizer: makes the generator's optimizer of its parameters.
        metrics: scores of validation, by name.
        discriminator_optimizer: makes the discriminator's optimizer, or None for the generator's kind.
        clip_norm: largest norm of a network's gradient, or None.
        ema_decay: decay of an exponential moving average of the generator's weights, or None for none. With one, it is
            the average that is validated and released.
        calibration_batches: makes the training batches over which batch normalisation's statistics are taken anew
            before each validation, or None to leave the running ones, as the authors did.
        config: the resolved configuration as plain data, stored in every checkpoint.
        lr_factor: what learning rates are multiplied by, where many devices make a batch larger.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        generator_loss: GeneratorLoss,
        discriminator_loss: DiscriminatorLoss | None,
        schedule: Schedule,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        metrics: Mapping[str, ImageMetric],
        *,
        discriminator_optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
        clip_norm: float | None = None,
        ema_decay: float | None = None,
        calibration_batches: Callable[[], Iterable[Batch]] | None = None,
        config: dict[str, Any] | None = None,
        lr_factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.generator_loss, self.discriminator_loss = generator_loss, discriminator_loss
        self.schedule, self.clip_norm = schedule, clip_norm
        self.optimizer, self.discriminator_optimizer = optimizer, discriminator_optimizer or optimizer
        self.calibration_batches, self.config, self.lr_factor = calibration_batches, config or {}, lr_factor
        self.ema: AveragedModel | None = None
        if ema_decay is not None:
            self.ema = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(ema_decay))  # type: ignore[no-untyped-call]
        self.metrics = collect(metrics)
        self.batches_seen: Tensor
        # A buffer, so that it is in the checkpoint: Lightning's global_step counts every optimizer's steps.
        self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
        self._random_states: list[dict[str, Any]] = []

    @property
    def phase(self) -> Phase:
        """The phase of the current epoch."""
        return self.schedule.at(self.current_epoch)

    @property
    def released(self) -> nn.Module:
        """The generator that is validated, scored and used: the average if there is one."""
        return self.generator if self.ema is None else self.ema.module

    def configure_optimizers(self) -> list[Optimizer]:
        """One optimizer for the generator and, with a discriminator, one for it."""
        optimizers = [self.optimizer(self.generator.parameters())]
        if self.discriminator is not None:
            optimizers.append(self.discriminator_optimizer(self.discriminator.parameters()))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] *= self.lr_factor
        return optimizers

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One step of each network that the phase trains, in its order; what came of each, by its logged name."""
        found: dict[str, Tensor] = {}
        if self.trainer._results is not None:
            self.trainer._results.reset(fx="training_step")  # else a network that rests would be logged as it last was
        phase = self.phase
        generates = phase.generator_steps(int(self.batches_seen)) if phase.discriminator_steps > 1 else phase.generator
        with torch.set_grad_enabled(generates):
            output: InpaintingOutput = self.generator(batch.known, batch.mask)
        if phase.discriminator and phase.discriminator_first:
            found |= self._step_discriminator(batch, output.detach())
        if generates:
            found |= self._step(0, batch, lambda: self.generator_loss(batch, output, self.discriminator, phase.terms))
            if self.ema is not None:
                self.ema.update_parameters(self.generator)
        if phase.discriminator and not phase.discriminator_first:
            judged = output.detach()
            if phase.fresh_output:
                with torch.no_grad():
                    judged = self.generator(batch.known, batch.mask)
            found |= self._step_discriminator(batch, judged)
        self.batches_seen += 1
        self.log("batch", self.batches_seen.float())
        return found

    def _step_discriminator(self, batch: Batch, judged: InpaintingOutput) -> dict[str, Tensor]:
        """Steps the discriminator on an output without a graph."""
        discriminator, loss = self.discriminator, self.discriminator_loss
        if discriminator is None or loss is None:
            return {}
        return self._step(1, batch, lambda: loss(batch, judged, discriminator))

    def _step(self, which: int, batch: Batch, loss: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Steps one network on `loss`, fenced: no other network's parameters get a gradient from it."""
        optimizers = self.optimizers()
        optimizer = optimizers[which] if isinstance(optimizers, list) else optimizers
        self.toggle_optimizer(optimizer)
        values = loss()
        if not all_finite(values):
            folder = self.trainer.default_root_dir
            report_nonfinite(batch, values, SIDES[which], folder, int(self.batches_seen), self.global_rank)
        optimizer.zero_grad()
        self.manual_backward(values["total"])
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)
        optimizer.step()
        self.untoggle_optimizer(optimizer)
        shown = {**values, "gradient_norm": norm}  # before clipping
        found = {f"train/{SIDES[which]}/{name}": value.detach() for name, value in shown.items()}
        self.log_dict(found)
        self.log(SIDES[which], values["total"].detach(), prog_bar=True, logger=False)
        return found

    def on_fit_start(self) -> None:
        """Refuses to train with ranks that have other settings."""
        if self.trainer.world_size > 1:
            check_same_config(self.config)

    def on_train_start(self) -> None:
        """Back to the random state of the checkpoint, once everything else is in place; or a state for each rank."""
        if len(self._random_states) == self.trainer.world_size:
            restore_random_state(self._random_states[self.global_rank])
        elif self.global_rank > 0:
            torch.manual_seed(torch.initial_seed() + self.global_rank)  # else ranks drop out and mix alike
        self._random_states = []

    def on_validation_start(self) -> None:
        """Takes batch normalisation's statistics anew, so that scores and checkpoints don't carry stale ones."""
        if self.trainer.world_size > 1:
            for buffer in self.released.buffers():  # running statistics are each rank's own, of its own images
                torch.distributed.broadcast(buffer, src=0)
        if self.calibration_batches is not None and not self.trainer.sanity_checking:
            convert = self.trainer.precision_plugin.convert_input  # Lightning does it for its own loaders only
            recalibrate(self.released, map(convert, self.calibration_batches()), self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores a batch."""
        self.metrics.update(batch, self.released(batch.known, batch.mask))

    def on_validation_epoch_end(self) -> None:
        """Logs the scores."""
        self.log_dict({f"val/{name}": value.float() for name, value in self.metrics.compute().items()})
        self.metrics.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what rebuilding and resuming need, as plain data that loads with `weights_only=True`."""
        checkpoint["pose_inpaint"] = {
            "format": CHECKPOINT_FORMAT,
            "config": self.config,
            "phase": self.phase.name,
            "epoch": self.current_epoch,
            "random_states": self._take_random_states(),
        }

    def _take_random_states(self) -> list[dict[str, Any]]:
        """Each rank's, for a checkpoint is made by all ranks and written by one."""
        states = [take_random_state()] * self.trainer.world_size
        if self.trainer.world_size > 1:
            torch.distributed.all_gather_object(states, take_random_state())
        return states

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the random states until training starts."""
        self._random_states = checkpoint["pose_inpaint"]["random_states"]
