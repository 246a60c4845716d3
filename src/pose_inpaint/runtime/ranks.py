"""Training in several processes, one a device: starting them on one machine, and what they must agree on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = 76  # exit status of a rank that ends because another one did
STARTED_HERE = "POSE_INPAINT_RANKS"
SAVING = 300.0  # the same once one has ended as it was asked to: others may still save, or send what they logged


class LostRankError(Exception):
    """Another rank ended, and says why itself."""


def rank_count() -> int:
    """How many processes train together: started by us, by torchrun or by Slurm; 1 for a process of its own."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))  # of srun; a batch script has only its job's numbers


def this_rank() -> int:
    """Which of them this one is."""
    for name in ("RANK", "SLURM_PROCID") if rank_count() > 1 else ():
        if name in os.environ:
            return int(os.environ[name])
    return 0


def started_here() -> bool:
    """Whether this rank was started by `run_ranks`."""
    return STARTED_HERE in os.environ


def devices_wanted(trainer: Mapping[str, Any]) -> int:
    """How many devices of this machine the trainer's settings ask for.

    Raises:
        InputError: for none.
    """
    devices = trainer.get("devices", 1)
    if str(devices) in ("auto", "-1"):
        import torch  # a process that only starts others, or shows its help, does without

        return 1 if trainer.get("accelerator") in ("cpu", "mps") else max(1, torch.cuda.device_count())
    if isinstance(devices, Sequence) and (not isinstance(devices, str) or "," in devices):
        count = len(devices.split(",") if isinstance(devices, str) else devices)
    else:
        count = int(devices) if str(devices).isdecimal() else 0
    if count < 1:
        raise InputError(f"trainer.devices={devices}: give how many, a list of their numbers, or auto")
    return count


def nodes_wanted(trainer: Mapping[str, Any]) -> int:
    """How many machines the trainer's settings ask for.

    Raises:
        InputError: not a number of at least 1.
    """
    nodes = trainer.get("num_nodes", 1)
    if not str(nodes).isdecimal() or int(nodes) < 1:
        raise InputError(f"trainer.num_nodes={nodes}: give how many machines, at least 1")
    return int(nodes)


def must_start_ranks(trainer: Mapping[str, Any]) -> bool:
    """Whether this process has to start others rather than train.

    Raises:
        InputError: the number of processes does not fit the settings.
    """
    devices, nodes, found = devices_wanted(trainer), nodes_wanted(trainer), rank_count()
    if found > 1 and found != devices * nodes:
        raise InputError(
            f"trainer.devices={devices} x trainer.num_nodes={nodes}: {devices * nodes} ranks, but {found} processes "
            "were started; make them as many"
        )
    if found == 1 and nodes > 1:
        raise InputError(
            f"trainer.num_nodes={nodes}: start a process for each device with srun or torchrun (docs/multi_gpu.md); "
            "on one machine use trainer=ddp"
        )
    return found == 1 and devices > 1
