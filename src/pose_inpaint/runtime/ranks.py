"""Number and identity of the processes that train together, one per device."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pose_inpaint.errors import InputError

LOST = 76  # exit status of a rank that stops because another one is gone
STARTED_HERE = "POSE_INPAINT_RANKS"
SAVING = 300.0  # seconds for the other ranks to exit after one has stopped on request: they may be saving or uploading


class LostRankError(Exception):
    """Another rank is gone; it reports its own error."""


def rank_count() -> int:
    """Number of processes that train together, whether `run_ranks`, torchrun or Slurm started them."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ.get("WORLD_SIZE", "1"))
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))  # set by srun only, unlike SLURM_NTASKS


def this_rank() -> int:
    """Rank of this process, 0 if it trains alone."""
    for name in ("RANK", "SLURM_PROCID") if rank_count() > 1 else ():
        if name in os.environ:
            return int(os.environ[name])
    return 0


def started_here() -> bool:
    """Whether `run_ranks` started this process."""
    return launcher_process() is not None


def launcher_process() -> int | None:
    """Process id of the `run_ranks` that started this process; None if another program did."""
    launcher = os.environ.get(STARTED_HERE)
    return None if launcher is None else int(launcher)


def devices_wanted(trainer: Mapping[str, Any]) -> int:
    """Number of devices per machine in the trainer's settings; raise `InputError` if it is invalid or 0."""
    devices = trainer.get("devices", 1)
    if str(devices) in ("auto", "-1"):
        import torch  # imported here, since launchers and --help don't need it

        return 1 if trainer.get("accelerator") in ("cpu", "mps") else max(1, torch.cuda.device_count())
    if isinstance(devices, Sequence) and (not isinstance(devices, str) or "," in devices):
        count = len(devices.split(",") if isinstance(devices, str) else devices)
    else:
        count = int(devices) if str(devices).isdecimal() else 0
    if count < 1:
        raise InputError(f"trainer.devices={devices}: give a number of devices, a list of indices, or auto")
    return count


def nodes_wanted(trainer: Mapping[str, Any]) -> int:
    """Number of machines in the trainer's settings; raise `InputError` if it is not an integer of at least 1."""
    nodes = trainer.get("num_nodes", 1)
    if not str(nodes).isdecimal() or int(nodes) < 1:
        raise InputError(f"trainer.num_nodes={nodes}: give the number of machines, at least 1")
    return int(nodes)


def must_start_ranks(trainer: Mapping[str, Any]) -> bool:
    """Whether this process must launch the ranks instead of training itself.

    Raises:
        InputError: The number of processes does not match the settings.
    """
    devices, nodes, ranks = devices_wanted(trainer), nodes_wanted(trainer), rank_count()
    if ranks > 1 and ranks != devices * nodes:
        raise InputError(
            f"trainer.devices={devices} x trainer.num_nodes={nodes}: {devices * nodes} ranks, but {ranks} processes "
            "were started; make the numbers equal"
        )
    if ranks == 1 and nodes > 1:
        raise InputError(
            f"trainer.num_nodes={nodes}: start a process for each device with srun or torchrun (docs/multi_gpu.md); "
            "on one machine use trainer=ddp"
        )
    return ranks == 1 and devices > 1
