"""What a job is called where it is logged: resolvers for `conf/logger/wandb.yaml` that ask Hydra while it runs one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from collections.abc import Callable


def register_resolvers() -> None:
    """Makes `${job_group:NAME}`, `${job_name:}` and `${job_kind:}` known; again does no harm."""
    resolvers: dict[str, Callable[..., str | None]] = {
        "job_group": job_group,
        "job_name": job_name,
        "job_kind": job_kind,
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def job_group(experiment: str) -> str | None:
    """The sweep's folder for a job of a Hydra sweep, else the experiment; a W&B agent groups its runs by itself."""
    if _of_agent():
        return None
    return Path(HydraConfig.get().sweep.dir).name if _swept() else experiment


def job_name() -> str | None:
    """The folder of a job of a Hydra sweep; None leaves the name to W&B."""
    return Path(HydraConfig.get().sweep.subdir).name if _swept() and not _of_agent() else None


def job_kind() -> str | None:
    """The command: train, train_pose, report."""
    return str(HydraConfig.get().job.config_name) if HydraConfig.initialized() else None


def _swept() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _of_agent() -> bool:
    return bool(os.environ.get("WANDB_SWEEP_ID"))
