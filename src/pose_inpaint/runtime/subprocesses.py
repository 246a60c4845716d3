"""Child processes that write to a log file and never outlive this process."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pose_inpaint.runtime.workers import end_with_launcher

GRACE = 20.0  # seconds for a command to exit after SIGTERM
SAID = 12  # log lines to show of a failed command


class Process(Protocol):
    """What is used here of `subprocess.Popen`, for a process that leads its own session."""

    pid: int

    def poll(self) -> int | None:
        """Exit status, or None while the process runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, once the process has ended."""
        ...

    def terminate(self) -> None:
        """Stop the process."""
        ...


Start = Callable[[Sequence[str], int, Mapping[str, str]], Process]
"""Starts a command with the file that its output goes to and its environment, as the leader of a session."""


def start_cold(command: Sequence[str], output: int, environment: Mapping[str, str]) -> Process:
    """Start a command as a new process."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # so that the command's own children can be stopped with it
        preexec_fn=end_with_launcher if os.name == "posix" else None,
    )


def run_child(command: Sequence[str], log: Path, grace: float = GRACE, start: Start = start_cold) -> int:
    """Run a command and return its exit status (negative: the signal that killed it).

    Args:
        command: Program and arguments.
        log: File to append its output and errors to.
        grace: Seconds for the command to exit after SIGTERM if this process is interrupted.
        start: Function that starts the command.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # keeps stdout and stderr in order in the log
    environment.pop("HYDRA_FULL_ERROR", None)  # set by run_command; it would turn error messages into tracebacks
    with log.open("ab") as file:
        process = start(command, file.fileno(), environment)
        try:
            return process.wait()
        finally:
            _stop(process, grace)


def _stop(process: Process, grace: float) -> None:
    """Stop a command and its children: SIGTERM to the session first, SIGKILL after the grace period."""
    try:
        if process.poll() is None:
            signal_group(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    finally:  # also if a second signal interrupts the wait
        kill_group(process)


def signal_group(process: Process, number: int) -> None:
    """Send a signal to a process that leads its own session, and to its children."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # no process left (PermissionError on macOS: only zombies)
            os.killpg(process.pid, number)
    elif process.poll() is None:
        process.terminate()


def kill_group(process: Process) -> None:
    """Kill a process that leads its own session, and its children."""
    signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def last_lines(log: Path, start: int) -> list[str]:
    """Last lines that a command wrote to a log, which had a size of `start` bytes before the command ran."""
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]  # progress bars end in \r
    return [line for line in lines if line][-SAID:]


def describe_status(status: int) -> str:
    """Describe an exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
