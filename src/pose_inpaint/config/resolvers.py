"""OmegaConf resolvers that name a job for `conf/logger/wandb.yaml` and sweeps."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

RECORD = "sweep.yaml"  # in the folder of a sweep, beside the folders of its jobs


def register_resolvers() -> None:
    """Register `${job_group:NAME}`, `${job_name:}`, `${job_kind:}` and `${job_digest:LIST}`; may be called again."""
    resolvers: tuple[Callable[..., str | None], ...] = (job_group, job_name, job_kind, job_digest)
    for resolver in resolvers:
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def job_group(experiment: str) -> str | None:
    """Return the folder of the Hydra sweep, or else the experiment; None for a W&B agent, which groups its runs."""
    if _of_agent():
        return None
    job = _job_of_sweep()
    return job[0].name if job else experiment


def job_name() -> str | None:
    """Return the folder of a job of a Hydra sweep; None leaves the name to W&B."""
    job = _job_of_sweep()
    return job[1].name if job and not _of_agent() else None


def job_kind() -> str | None:
    """Return the name of the command: train, train_pose, report."""
    return str(HydraConfig.get().job.config_name) if HydraConfig.initialized() else None


def _job_of_sweep() -> tuple[Path, Path] | None:
    """Return the folders of sweep and job, whether Hydra launched the job or it is a command of its own."""
    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:
        return Path(hydra.sweep.dir), Path(hydra.sweep.subdir)
    if OmegaConf.is_missing(hydra.runtime, "output_dir"):  # composed only: no job runs
        return None
    folder = Path(hydra.runtime.output_dir)
    return (folder.parent, folder) if (folder.parent / RECORD).is_file() else None


def _of_agent() -> bool:
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def job_digest(overrides: Iterable[str]) -> str:
    """Return a name unique in a sweep: the first 10 hexadecimal digits of SHA-256 of the job's overrides."""
    own = sorted(override for override in overrides if not override.startswith(("sweep=", "sweep.")))
    return hashlib.sha256("\n".join(own).encode()).hexdigest()[:10]
