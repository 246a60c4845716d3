"""Launcher that starts one process per rank and waits for all of them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from pose_inpaint.runtime.ranks import LOST, SAVING, STARTED_HERE
from pose_inpaint.runtime.signals import BY_CTRL_C, STOPPED, handling_requests, let_go_of_closed_outputs, stopped_status
from pose_inpaint.runtime.subprocesses import describe_status, kill_group, last_lines

GRACE = 15.0  # seconds for the other ranks to exit after one has failed
FAULT = 1  # exit status if a signal killed a rank


def run_ranks(command: Sequence[str], ranks: int) -> int:
    """Run a command once per rank, wait for all ranks, and return the exit status.

    Rank 0 shares this process's output. If a rank fails or is killed, the others are stopped. Stop signals are
    forwarded to all ranks.
    """
    with tempfile.TemporaryDirectory() as folder:
        logs = [None, *(Path(folder) / f"rank{rank}.log" for rank in range(1, ranks))]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(ranks)}
        processes: list[subprocess.Popen[bytes]] = []
        requests: list[int] = []
        # Handlers go in before the first rank starts and only record the signal: an exception raised between fork and
        # append would leave a rank that nothing stops.
        with handling_requests(requests.append):
            try:
                for rank, log in enumerate(logs):
                    if not requests:
                        processes.append(_start(command, rank, shared, log))
                statuses = _wait(processes, requests)
            finally:  # ranks that hang, and data loader workers that outlived their rank
                for process in processes:
                    kill_group(process)
        return _explain(statuses, logs, requests)


def _start(command: Sequence[str], rank: int, shared: Mapping[str, str], log: Path | None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **shared, STARTED_HERE: str(os.getpid()), "NODE_RANK": "0"}
    environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    environment.pop("HYDRA_FULL_ERROR", None)  # set by run_command; it would turn error messages into tracebacks
    with log.open("wb") if log else nullcontext() as output:
        # A new session, so that Ctrl-C reaches a rank once, forwarded by us, and not from the terminal as well.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )


def _wait(processes: Sequence[subprocess.Popen[bytes]], requests: Sequence[int]) -> list[int]:
    """Return each rank's exit status, LOST for ranks that did not exit in time after another one had.

    Signals in `requests`, to which the handler appends, are forwarded.
    """
    handed_on, first_end = 0, float("inf")
    # Polled rather than awaited in turn: any rank may be the first to fail, and signals arrive meanwhile.
    while any(process.poll() is None for process in processes):
        for number in requests[handed_on:]:
            handed_on += 1
            for process in processes:
                if process.poll() is None:
                    process.send_signal(number)
        ends = {process.poll() for process in processes} - {None, 0}
        if ends:
            first_end = min(first_end, time.monotonic())
        # Ranks that stop on request may take minutes to save; after a failure, or a second request, they get less time.
        patient = ends <= {STOPPED, BY_CTRL_C} and len(requests) < 2
        if time.monotonic() - first_end > (SAVING if patient else GRACE):
            break
        time.sleep(0.05)
    return [LOST if process.poll() is None else int(process.returncode) for process in processes]


def _explain(statuses: Sequence[int], logs: Sequence[Path | None], requests: Sequence[int]) -> int:
    """Print which rank failed, unless rank 0 has printed its own error, and return the launcher's exit status."""
    failed = {rank: status for rank, status in enumerate(statuses) if status != 0}
    asked = {STOPPED, BY_CTRL_C, LOST, *(-number for number in requests)}  # negative: killed before it set a handler
    if requests:  # the signal may have come from a terminal that is closed by now
        let_go_of_closed_outputs()
    if requests and (failed or not statuses) and asked.issuperset(failed.values()):
        if failed.get(0) not in (STOPPED, BY_CTRL_C):  # else rank 0 has printed this
            print(f"stopped by {signal.Signals(requests[-1]).name}; continue with resume=auto", file=sys.stderr)
        return stopped_status(requests[-1])
    if not failed:
        return 0
    # LOST ranks follow from the loss of another, and errors of the rest usually from a rank killed by a signal.
    causes = {rank: status for rank, status in failed.items() if status != LOST} or failed
    rank = next((rank for rank, status in causes.items() if status < 0), min(causes))
    status, log = causes[rank], logs[rank]
    if log is not None:
        print("\n".join(last_lines(log, 0)), file=sys.stderr)
    if status < 0 or rank > 0:
        print(
            f"error: rank {rank} of {len(statuses)}: {describe_status(status)}; the other ranks were stopped. Fix the "
            "cause, then continue with resume=auto",
            file=sys.stderr,
        )
    return status if status > 0 else FAULT


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
