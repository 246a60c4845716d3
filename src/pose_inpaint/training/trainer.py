"""Lightning trainer, set up for two networks that step alternately."""

import logging
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any, cast

from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, Strategy

from pose_inpaint.config.instantiate import build
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.devices import check_devices
from pose_inpaint.runtime.ranks import rank_count, started_here
from pose_inpaint.tracking.checkpoint_file import WholeCheckpointIO


def build_trainer(
    trainer: Mapping[str, Any], run_dir: str, epochs: int, callbacks: list[Callback], loggers: list[Logger]
) -> Trainer:
    """Build the trainer, limited by epochs, since Lightning's step count adds up the steps of all optimizers.

    Raises:
        InputError: A setting of the trainer can't be used.
    """
    check_devices(trainer)
    limit = trainer.get("max_epochs")
    if limit is not None and not (isinstance(limit, int) and limit >= 1):
        raise InputError(f"trainer.max_epochs={limit}: must be at least 1, or null for all epochs of the schedule")
    block = {
        **trainer,
        "max_epochs": epochs if limit is None else min(limit, epochs),
        "default_root_dir": run_dir,
        "callbacks": callbacks,
        "logger": loggers,
        "use_distributed_sampler": False,  # the data module splits the images among the ranks
        "strategy": _strategy(str(trainer.get("strategy", "auto"))),
        "plugins": [WholeCheckpointIO(), *_environment()],
    }
    return cast("Trainer", build("trainer", block))


def _strategy(name: str) -> Strategy | str:
    """Choose how devices work together; refuse what is untested with two networks that step alternately."""
    if name not in ("auto", "ddp"):
        raise InputError(
            f"trainer.strategy={name}: generator and discriminator step alternately, tested with ddp only; use ddp"
        )
    if name == "auto" and rank_count() == 1:
        return name
    # While one network steps, the other's parameters get no gradient. Buffers are broadcast once before validation and
    # not with every batch: ranks may validate unequal numbers of batches, and would wait for each other forever.
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def _environment() -> list[ClusterEnvironment]:
    """Name what started the ranks, where Lightning would guess wrong."""
    if rank_count() == 1 or started_here():
        return [LightningEnvironment()]  # also inside a Slurm job
    if "LOCAL_RANK" not in os.environ:
        return [SLURMEnvironment(auto_requeue=False)]  # our own handlers save; the batch script asks for more time
    return []  # torchrun, which Lightning detects


def quieten() -> None:
    """Silence what Lightning prints in every run of ours."""
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        "Checkpoint directory .* exists and is not empty.*",
        ".*smaller than the logging interval.*",
        "Experiment logs directory .* exists and is not empty.*",
        "The dirpath has changed from .*",
        "It is recommended to use `self.log.*sync_dist.*",  # scores are reduced over the ranks already
        "`broadcast_buffers` is deprecated.*",  # its replacement needs PyTorch 2.15
        "You're resuming from a checkpoint that ended before the epoch ended .*",  # our sampler resumes inside it
    ):
        warnings.filterwarnings("ignore", message=text)


def learning_rate_factor(rule: str, ranks: int) -> float:
    """Return the factor of the learning rates when several devices enlarge the batch of a step.

    Args:
        rule: "none" (factor 1), "linear" (number of ranks; Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section
            2.1) or "sqrt" (its square root; Krizhevsky 2014, https://arxiv.org/abs/1404.5997, section 5).
        ranks: Number of devices that train together.
    """
    rules = {"none": 1.0, "linear": float(ranks), "sqrt": math.sqrt(ranks)}
    return rules[rule]
