"""Lightning module of every trained method: generator, discriminator, losses, phases."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from pose_inpaint.config.block_schema import EACH_PHASE, TRAINING, Phase
from pose_inpaint.config.differences import check_same_config
from pose_inpaint.losses import DiscriminatorLoss, GeneratorLoss
from pose_inpaint.losses.base import all_finite
from pose_inpaint.metrics import ImageMetric
from pose_inpaint.metrics.per_image import collect
from pose_inpaint.models.layers.batchnorm_recalibration import recalibrate
from pose_inpaint.runtime.rng_state import restore_random_state, take_random_state
from pose_inpaint.training.learning_rate import LearningRate
from pose_inpaint.training.moving_average import moving_average
from pose_inpaint.training.nonfinite import report_nonfinite
from pose_inpaint.training.schedule import Schedule
from pose_inpaint.types import Batch, InpaintingOutput

CHECKPOINT_FORMAT = 3
SIDES = ("generator", "discriminator")


def shown_bar(trainer: Trainer) -> TQDMProgressBar | None:
    """Return the progress bar that a person sees, or None if there is none."""
    bar = trainer.progress_bar_callback
    return bar if isinstance(bar, TQDMProgressBar) and bar.is_enabled else None


class InpaintingModule(LightningModule):
    """Trains a generator, and a discriminator in the phases that have one, by manual optimisation.

    Args:
        generator: Network that is an `Inpainter`.
        discriminator: Network that is a `pose_inpaint.types.Discriminator`, or None.
        generator_loss: Weighted terms of the generator's loss.
        discriminator_loss: Loss of the discriminator, or None.
        schedule: Phases, which say what steps on which terms in which epoch.
        optimizer: Factory of the generator's optimizer, called with its parameters.
        metrics: Validation scores, by name.
        discriminator_optimizer: Factory of the discriminator's optimizer, or None for `optimizer`.
        clip_norm: Largest L2 norm of a network's gradient, or None not to clip.
        ema_decay: Decay, in (0, 1), of an exponential moving average (EMA) of the generator's weights, or None for no
            average. Validation and inference use the EMA.
        ema_warmup: Whether the decay rises to `ema_decay`; see `moving_average`.
        learning_rates: Learning-rate schedules of the generator's and the discriminator's optimizer.
        schedule_over: What the schedules run over: "training", "phases" (restarted in each phase) or the name of a
            phase, with constant rates in the others.
        calibration_batches: Factory of the training batches on which batch-norm statistics are recalibrated before
            each validation, or None to keep the running ones, as the authors' code does.
        config: Resolved configuration as plain data, stored in every checkpoint.
        lr_factor: Factor of all learning rates, for the larger batch of several devices.
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
        ema_warmup: bool = False,
        learning_rates: tuple[LearningRate, LearningRate] = (LearningRate(), LearningRate()),
        schedule_over: str = TRAINING,
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
        self.learning_rates, self.schedule_over = learning_rates, schedule_over
        self.ema = None if ema_decay is None else moving_average(generator, ema_decay, warmup=ema_warmup)
        self.seconds = 0.0
        """Duration of training so far, over all starts; see `TrainingClock`."""
        self.time_share: float | None = None
        """Share of the time budget that is used up, or None without one."""
        self.metrics = collect(metrics)
        self.batches_seen: Tensor
        # A buffer, so that it is in the checkpoint: Lightning's global_step counts every optimizer's steps.
        self.register_buffer("batches_seen", torch.zeros((), dtype=torch.long))
        self._batches = 0  # the same while training, but read without waiting for the device
        self._recalibrated_at: int | None = None
        self._random_states: list[dict[str, Any]] = []

    @property
    def phase(self) -> Phase:
        """Phase of the current epoch."""
        return self.schedule.at(self.current_epoch)

    @property
    def phases_begun(self) -> list[str]:
        """Names of the phases that were trained, by batches: Lightning counts an epoch that was cut short as done."""
        names = [phase.name for phase in self.schedule.phases]
        last_epoch = (int(self.batches_seen) - 1) // int(self.trainer.num_training_batches)
        return names[: names.index(self.schedule.at(last_epoch).name) + 1]

    @property
    def cut_short(self) -> bool:
        """Whether batches of the planned epochs are left."""
        planned = int(self.trainer.max_epochs or 0) * int(self.trainer.num_training_batches)
        return int(self.batches_seen) < planned

    @property
    def inference_network(self) -> nn.Module:
        """Generator for validation and inference: with the EMA weights if there are any."""
        return self.generator if self.ema is None else self.ema.module

    def configure_optimizers(self) -> list[Optimizer]:
        """Build an optimizer for the generator and, if there is one, another for the discriminator."""
        optimizers = [self.optimizer(self.generator.parameters())]
        if self.discriminator is not None:
            optimizers.append(self.discriminator_optimizer(self.discriminator.parameters()))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] *= self.lr_factor
        self._full_rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        return optimizers

    def schedule_progress(self, batch_idx: int) -> tuple[float, int] | None:
        """Return the share of the learning-rate schedule and its batches done before a batch; None where it is off."""
        epochs = self.trainer.max_epochs or self.schedule.epochs
        first = 0
        if self.schedule_over in (EACH_PHASE, self.phase.name):
            first = self.schedule.first_epoch(self.phase.name)
            epochs = min(epochs - first, self.phase.epochs)
        elif self.schedule_over != TRAINING:
            return None
        each = int(self.trainer.num_training_batches)
        done = (self.current_epoch - first + batch_idx / each) / epochs
        if self.schedule_over == TRAINING:
            # Whichever ends first: a budget that is not used up must not leave a rate that never fell.
            done = max(done, self.time_share or 0.0)
        return done, (self.current_epoch - first) * each + batch_idx

    def _set_learning_rate(self, which: int, optimizer: Optimizer | LightningOptimizer, batch_idx: int) -> float:
        """Set the learning rate of one of the `SIDES`' optimizers for a batch, and return it."""
        progress = self.schedule_progress(batch_idx)
        factor = 1.0 if progress is None else self.learning_rates[which].factor(*progress)
        for group, full in zip(optimizer.param_groups, self._full_rates[which], strict=True):
            group["lr"] = full * factor
        return float(optimizer.param_groups[0]["lr"])

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Step each network that the phase trains, in its order; return the logged values by name."""
        logged: dict[str, Tensor] = {}
        phase = self.phase
        generates = phase.generator_steps(self._batches)
        discriminates = phase.discriminator and not (phase.own_batch and generates)
        with torch.set_grad_enabled(generates):
            output: InpaintingOutput = self.generator(batch.known, batch.mask)
        # One forward pass serves both networks: the generator needs its graph, the discriminator gets it detached.
        if discriminates and phase.discriminator_first:
            logged |= self._step_discriminator(batch, batch_idx, output.detach())
        if generates:
            logged |= self._step(
                0, batch, batch_idx, lambda: self.generator_loss(batch, output, self.discriminator, phase.terms)
            )
            if self.ema is not None:
                self.ema.update_parameters(self.generator)
        if discriminates and not phase.discriminator_first:
            judged = output.detach()
            if phase.fresh_output:
                with torch.no_grad():
                    judged = self.generator(batch.known, batch.mask)
            logged |= self._step_discriminator(batch, batch_idx, judged)
        self.batches_seen += 1
        self._batches += 1
        self._log_batch(logged, batch_idx, generates=generates)
        return logged

    def _log_batch(self, values: Mapping[str, Tensor], batch_idx: int, *, generates: bool) -> None:
        """Log the values of every `trainer.log_every_n_steps`-th batch, and of those that a short run would lack.

        These are each network's first step in a phase and the last batch of an epoch. Written to the loggers here:
        Lightning's `self.log` costs milliseconds per batch, also of batches that it doesn't log.
        """
        if shown_bar(self.trainer) is not None:
            for side in SIDES:
                if (total := values.get(f"train/{side}/total")) is not None:
                    self.log(side, total, prog_bar=True, logger=False)
        interval, batches = self.trainer.log_every_n_steps, int(self.trainer.num_training_batches)  # type: ignore[attr-defined]
        if not interval:
            return
        since = (self.current_epoch - self.schedule.first_epoch(self.phase.name)) * batches + batch_idx
        first = since == 0 or (generates and since < self.phase.discriminator_steps)
        if first or batch_idx + 1 == batches or self._batches % interval == 0 or self.trainer.should_stop:
            row = {name: float(value) for name, value in values.items()}
            row |= {"batch": float(self._batches), "phase": float(self.schedule.phases.index(self.phase))}
            row["epoch"] = self.current_epoch
            for logger in self.loggers:
                logger.log_metrics(row, step=self._batches - 1)
                logger.save()

    def _step_discriminator(self, batch: Batch, batch_idx: int, judged: InpaintingOutput) -> dict[str, Tensor]:
        """Step the discriminator on a detached output; do nothing without a discriminator."""
        discriminator, loss = self.discriminator, self.discriminator_loss
        if discriminator is None or loss is None:
            return {}
        return self._step(1, batch, batch_idx, lambda: loss(batch, judged, discriminator))

    def _step(
        self, which: int, batch: Batch, batch_idx: int, loss: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Step one of the `SIDES` by its index; `loss` computes named values, of which "total" is minimised."""
        optimizers = self.optimizers()
        optimizer = optimizers[which] if isinstance(optimizers, list) else optimizers
        # Toggling turns off requires_grad for the other network's parameters. In the generator's step, gradients still
        # flow through the discriminator, but none accumulate in its weights.
        self.toggle_optimizer(optimizer)
        # Computed here and not by the caller: the loss must see the toggled parameters, and the discriminator after
        # its own step. A graph built before that step would hold weights that were then changed in place.
        values = loss()
        optimizer.zero_grad()
        self.manual_backward(values["total"])
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)
        rate = torch.tensor(self._set_learning_rate(which, optimizer, batch_idx))
        # Checked only now: looking waits for the device, which has the backward pass to do meanwhile.
        if not all_finite(values):
            folder = self.trainer.default_root_dir
            report_nonfinite(batch, values, SIDES[which], folder, self._batches, self.global_rank)
        optimizer.step()
        self.untoggle_optimizer(optimizer)
        shown = {**values, "gradient_norm": norm, "lr": rate}  # the norm before clipping
        return {f"train/{SIDES[which]}/{name}": value.detach() for name, value in shown.items()}

    def on_fit_start(self) -> None:
        """Check that all ranks have the same settings."""
        if self.trainer.world_size > 1:
            check_same_config(self.config)

    def on_train_start(self) -> None:
        """Restore the checkpoint's random state, last of all, or give each rank of a new run its own seed."""
        self._batches = int(self.batches_seen)
        if len(self._random_states) == self.trainer.world_size:
            restore_random_state(self._random_states[self.global_rank])
        elif self.global_rank > 0:
            torch.manual_seed(torch.initial_seed() + self.global_rank)  # otherwise ranks draw the same dropout
        self._random_states = []

    def on_validation_start(self) -> None:
        """Recalibrate batch-norm statistics, so that scores and checkpoints don't carry stale ones."""
        if self.trainer.world_size > 1:
            # DDP averages gradients, not buffers: each rank has running statistics of its own images. All must validate
            # the network that rank 0 saves.
            for buffer in self.inference_network.buffers():
                torch.distributed.broadcast(buffer, src=0)
        if self.calibration_batches is not None and not self.trainer.sanity_checking:
            convert = self.trainer.precision_plugin.convert_input  # Lightning converts its own loaders only
            recalibrate(self.inference_network, map(convert, self.calibration_batches()), self.device)
            self._recalibrated_at = int(self.batches_seen)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the scores with a batch."""
        self.metrics.update(batch, self.inference_network(batch.known, batch.mask))

    def on_validation_epoch_end(self) -> None:
        """Log the scores."""
        self.log_dict({f"val/{name}": value.float() for name, value in self.metrics.compute().items()})
        self.metrics.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what rebuilding and resuming need, as plain data that loads with `weights_only=True`."""
        checkpoint["pose_inpaint"] = {
            "format": CHECKPOINT_FORMAT,
            "config": self.config,
            "phase": self.phase.name,
            "epoch": self.current_epoch,
            "seconds": self.seconds,
            # A checkpoint inside an epoch has statistics that lag behind the weights.
            "batchnorm": "recalibrated" if self._recalibrated_at == int(self.batches_seen) else "running",
            "random_states": self._take_random_states(),
        }

    def _take_random_states(self) -> list[dict[str, Any]]:
        """Gather the random state of every rank: all ranks make a checkpoint, one writes it."""
        states = [take_random_state()] * self.trainer.world_size
        if self.trainer.world_size > 1:
            torch.distributed.all_gather_object(states, take_random_state())
        return states

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the duration of training, and keep the random states until training starts."""
        self._random_states = checkpoint["pose_inpaint"]["random_states"]
        self.seconds = checkpoint["pose_inpaint"].get("seconds", 0.0)
