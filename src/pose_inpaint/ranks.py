"""Training in several processes, one a device: starting them on one machine, and what they must agree on."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.child_process import describe_status, last_lines, signal_group
from pose_inpaint.config import flat
from pose_inpaint.errors import InputError
from pose_inpaint.stopping import BY_CTRL_C, STOPPED, handling_requests, let_go_of_closed_outputs, stopped_status

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = 76  # exit status of a rank that ends because another one did
STARTED_HERE = "POSE_INPAINT_RANKS"
GRACE = 15.0  # seconds that ranks have for ending by themselves once one has failed
SAVING = 300.0  # the same once one has ended as it was asked to: others may still save, or send what they logged
FAULT = 1  # exit status where a rank was ended by a signal


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
        return 1 if trainer.get("accelerator") in ("cpu", "mps") else max(1, torch.cuda.device_count())
    if isinstance(devices, Sequence) and (not isinstance(devices, str) or "," in devices):
        count = len(devices.split(",") if isinstance(devices, str) else devices)
    else:
        count = int(devices) if str(devices).isdecimal() else 0
    if count < 1:
        message = f"trainer.devices={devices}: give how many, a list of their numbers, or auto"
        raise InputError(message)
    return count


def nodes_wanted(trainer: Mapping[str, Any]) -> int:
    """How many machines the trainer's settings ask for.

    Raises:
        InputError: not a number of at least 1.
    """
    nodes = trainer.get("num_nodes", 1)
    if not str(nodes).isdecimal() or int(nodes) < 1:
        message = f"trainer.num_nodes={nodes}: give how many machines, at least 1"
        raise InputError(message)
    return int(nodes)


def must_start_ranks(trainer: Mapping[str, Any]) -> bool:
    """Whether this process has to start others rather than train.

    Raises:
        InputError: the number of processes does not fit the settings.
    """
    devices, nodes, found = devices_wanted(trainer), nodes_wanted(trainer), rank_count()
    if found > 1 and found != devices * nodes:
        message = (
            f"trainer.devices={devices} x trainer.num_nodes={nodes}: {devices * nodes} ranks, but {found} processes "
            "were started; make them as many"
        )
        raise InputError(message)
    if found == 1 and nodes > 1:
        message = (
            f"trainer.num_nodes={nodes}: start a process for each device with srun or torchrun (docs/multi_gpu.md); "
            "on one machine use trainer=ddp"
        )
        raise InputError(message)
    return found == 1 and devices > 1


def run_ranks(command: Sequence[str], ranks: int) -> int:
    """Runs a command once for each rank until all have ended, and returns the exit status.

    A rank that fails, or is killed, ends the others. Requests to end are handed on to all.

    Args:
        command: program and arguments.
        ranks: how many; the first one's output goes where ours does.
    """
    with tempfile.TemporaryDirectory() as folder:
        logs = [None, *(Path(folder) / f"rank{rank}.log" for rank in range(1, ranks))]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(ranks)}
        processes: list[subprocess.Popen[bytes]] = []
        requests: list[int] = []
        with handling_requests(requests.append):
            try:
                for rank, log in enumerate(logs):
                    if not requests:
                        processes.append(_start(command, rank, shared, log))
                statuses = _wait(processes, requests)
            finally:
                _kill(processes)
        return _explain(statuses, logs, requests)


def _start(command: Sequence[str], rank: int, shared: Mapping[str, str], log: Path | None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **shared, STARTED_HERE: str(os.getpid()), "NODE_RANK": "0"}
    environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    environment.pop("HYDRA_FULL_ERROR", None)  # run_command sets it; with it faults would be tracebacks
    output = log.open("wb") if log else None
    try:
        # A session of its own, so that Ctrl-C in a terminal reaches it once, through us.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    finally:
        if output:
            output.close()


def _wait(processes: Sequence[subprocess.Popen[bytes]], requests: Sequence[int]) -> list[int]:
    """The exit status of each rank, LOST of those that did not end in time once another had.

    Args:
        processes: the ranks.
        requests: to end; more may come meanwhile, and each is handed on.
    """
    handed_on, first_end = 0, float("inf")
    while any(process.poll() is None for process in processes):
        for number in requests[handed_on:]:
            _hand_on(processes, number)
            handed_on += 1
        ends = {process.poll() for process in processes} - {None, 0}
        if ends:
            first_end = min(first_end, time.monotonic())
        patient = ends <= {STOPPED, BY_CTRL_C} and len(requests) < 2
        if time.monotonic() - first_end > (SAVING if patient else GRACE):
            break
        time.sleep(0.05)
    return [LOST if process.poll() is None else int(process.returncode) for process in processes]


def _explain(statuses: Sequence[int], logs: Sequence[Path | None], requests: Sequence[int]) -> int:
    """Says which rank failed, unless it was the first, which has said it itself; returns our exit status."""
    failed = {rank: status for rank, status in enumerate(statuses) if status != 0}
    asked = {STOPPED, BY_CTRL_C, LOST, *(-number for number in requests)}  # by the signal: one not yet listening to it
    if requests:
        let_go_of_closed_outputs()
    if requests and (failed or not statuses) and asked.issuperset(failed.values()):
        if failed.get(0) not in (STOPPED, BY_CTRL_C):  # else it has said it itself
            print(f"stopped by {signal.Signals(requests[-1]).name}; go on with resume=auto", file=sys.stderr)
        return stopped_status(requests[-1])
    if not failed:
        return 0
    causes = {rank: status for rank, status in failed.items() if status != LOST} or failed
    rank = next((rank for rank, status in causes.items() if status < 0), min(causes))
    status, log = causes[rank], logs[rank]
    if log is not None:
        print("\n".join(last_lines(log, 0)), file=sys.stderr)
    if status < 0 or rank > 0:
        print(
            f"error: rank {rank} of {len(statuses)}: {describe_status(status)}; the others were ended. Once its cause "
            "is mended, go on with resume=auto",
            file=sys.stderr,
        )
    return status if status > 0 else FAULT


def _hand_on(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def learning_rate_factor(rule: str, ranks: int) -> float:
    """What learning rates are multiplied by when `ranks` devices make each step's batch that much larger.

    Args:
        rule: "none"; "linear", times the ranks (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 2.1);
            "sqrt", times their root (Krizhevsky 2014, https://arxiv.org/abs/1404.5997, section 5).
        ranks: how many devices train together.

    Raises:
        InputError: there is no such rule.
    """
    rules = {"none": 1.0, "linear": float(ranks), "sqrt": math.sqrt(ranks)}
    if rule not in rules:
        message = f"optim.lr_rule={rule}: not one of {', '.join(rules)}"
        raise InputError(message)
    return rules[rule]


def demand_same_config(config: Mapping[str, Any]) -> None:
    """Compares the ranks' configurations, so that none trains with other settings than the first one's.

    Raises:
        InputError: they differ; the message names the keys.
    """
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, dict(config))
    first, *others = ({k: v for key, value in found.items() for k, v in flat(key, value)} for found in every)
    for rank, other in enumerate(others, start=1):
        differing = [key for key in sorted({*first, *other}) if first.get(key) != other.get(key)]
        if differing:
            key = differing[0]
            message = (
                f"{', '.join(differing)}: rank {rank} has {key}={other.get(key)}, rank 0 {key}={first.get(key)}; start "
                "all ranks with the same arguments" + (", hydra.run.dir too" if "run_dir" in differing else "")
            )
            raise InputError(message)
