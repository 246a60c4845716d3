"""Lightning's trainer, set up for two networks that step by turns."""

from __future__ import annotations

import logging
import math
import os
import warnings
from typing import TYPE_CHECKING, Any, cast

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy

from pose_inpaint.config.instantiate import build
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.devices import check_devices
from pose_inpaint.runtime.ranks import rank_count, started_here
from pose_inpaint.tracking.checkpoint_file import WholeCheckpointIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning.fabric.plugins import ClusterEnvironment
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.strategies import Strategy


def build_trainer(
    trainer: Mapping[str, Any], run_dir: str, epochs: int, callbacks: list[Callback], loggers: list[Logger]
) -> Trainer:
    """Lightning's trainer, limited by epochs (its steps count every optimizer's).

    Raises:
        InputError: the trainer's settings can't be used.
    """
    check_devices(trainer)
    limit = trainer.get("max_epochs")
    if limit is not None and not (isinstance(limit, int) and limit >= 1):
        raise InputError(f"trainer.max_epochs={limit}: must be at least 1, or null for as many as the schedule has")
    block = {
        **trainer,
        "max_epochs": epochs if limit is None else min(limit, epochs),
        "default_root_dir": run_dir,
        "callbacks": callbacks,
        "logger": loggers,
        "use_distributed_sampler": False,  # the data module partitions the images itself
        "strategy": _strategy(str(trainer.get("strategy", "auto"))),
        "plugins": [WholeCheckpointIO(), *_environment()],
    }
    return cast("Trainer", build("trainer", block))


def _strategy(name: str) -> Strategy | str:
    """How devices work together.

    Raises:
        InputError: in a way that two networks which step by turns were not tried in.
    """
    if name not in ("auto", "ddp"):
        raise InputError(
            f"trainer.strategy={name}: generator and discriminator step by turns, tried with ddp only; give ddp"
        )
    if name == "auto" and rank_count() == 1:
        return name
    # While one network steps, the other's parameters get no gradient. Buffers are sent before validation instead of
    # with every batch, of which ranks may have unequal numbers then.
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def _environment() -> list[ClusterEnvironment]:
    """Who started the ranks, where Lightning would take it for somebody else."""
    if rank_count() == 1 or started_here():
        return [LightningEnvironment()]  # also within a job of Slurm
    if "LOCAL_RANK" not in os.environ:
        return [SLURMEnvironment(auto_requeue=False)]  # our own handlers save; the batch script asks for more time
    return []  # torchrun, which Lightning knows


def quieten() -> None:
    """Leaves out what Lightning says of every run like ours."""
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    for text in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        "Checkpoint directory .* exists and is not empty.*",
        ".*smaller than the logging interval.*",
        "Experiment logs directory .* exists and is not empty.*",
        "The dirpath has changed from .*",
        "It is recommended to use `self.log.*sync_dist.*",  # scores are of all ranks already
        "`broadcast_buffers` is deprecated.*",  # what replaces it came with PyTorch 2.15
        "You're resuming from a checkpoint that ended before the epoch ended .*",  # our sampler goes on inside it
    ):
        warnings.filterwarnings("ignore", message=text)


def learning_rate_factor(rule: str, ranks: int) -> float:
    """What learning rates are multiplied by when `ranks` devices make each step's batch that much larger.

    Args:
        rule: "none"; "linear", times the ranks (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 2.1);
            "sqrt", times their root (Krizhevsky 2014, https://arxiv.org/abs/1404.5997, section 5).
        ranks: how many devices train together.
    """
    rules = {"none": 1.0, "linear": float(ranks), "sqrt": math.sqrt(ranks)}
    return rules[rule]
