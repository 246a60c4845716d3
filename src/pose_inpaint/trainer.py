"""Lightning's trainer, set up for two networks that step by turns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy

from pose_inpaint.build import build
from pose_inpaint.checkpoint_file import WholeCheckpointIO
from pose_inpaint.errors import InputError
from pose_inpaint.ranks import devices_wanted, rank_count, started_here

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
        message = f"trainer.max_epochs={limit}: must be at least 1, or null for as many as the schedule has"
        raise InputError(message)
    block = {
        **trainer,
        "max_epochs": epochs if limit is None else min(limit, epochs),
        "default_root_dir": run_dir,
        "callbacks": callbacks,
        "logger": loggers,
        "use_distributed_sampler": False,  # the data module partitions the pictures itself
        "strategy": _strategy(str(trainer.get("strategy", "auto"))),
        "plugins": [WholeCheckpointIO(), *_environment()],
    }
    return cast("Trainer", build("trainer", block))


def check_devices(trainer: Mapping[str, Any]) -> None:
    """Whether this machine has the devices, before anything else is done.

    Raises:
        InputError: it has not.
    """
    wanted = trainer.get("accelerator", "auto")
    have_mps = torch.backends.mps.is_available()
    there = {"gpu": torch.cuda.is_available() or have_mps, "cuda": torch.cuda.is_available(), "mps": have_mps}
    if not there.get(wanted, True):
        message = f"trainer.accelerator={wanted}: PyTorch finds none here; choose trainer=cpu, or see to its drivers"
        raise InputError(message)
    devices, found = devices_wanted(trainer), torch.cuda.device_count()
    if wanted in ("gpu", "cuda") and devices > max(1, found):
        message = f"trainer.devices={trainer['devices']}: there are {found} GPUs here; give as many or fewer"
        raise InputError(message)
    if trainer.get("sync_batchnorm") and wanted in ("cpu", "mps"):
        message = f"trainer.sync_batchnorm=true: PyTorch has it for NVIDIA's GPUs only, not for {wanted}; give false"
        raise InputError(message)


def _strategy(name: str) -> Strategy | str:
    """How devices work together.

    Raises:
        InputError: in a way that two networks which step by turns were not tried in.
    """
    if name not in ("auto", "ddp"):
        message = f"trainer.strategy={name}: generator and critic step by turns, tried with ddp only; give ddp"
        raise InputError(message)
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
