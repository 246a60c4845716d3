"""Starts one process per rank and waits until all have ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.runtime.ranks import LOST, SAVING, STARTED_HERE
from pose_inpaint.runtime.signals import BY_CTRL_C, STOPPED, handling_requests, let_go_of_closed_outputs, stopped_status
from pose_inpaint.runtime.subprocesses import describe_status, last_lines, signal_group

if TYPE_CHECKING:
    from collections.abc import Mapping


GRACE = 15.0  # seconds that ranks have for ending by themselves once one has failed


FAULT = 1  # exit status where a rank was ended by a signal


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
