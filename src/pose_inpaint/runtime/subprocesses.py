"""Commands run as processes of their own: their output in a file, and none left behind when this one ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GRACE = 20.0  # seconds that a command has for ending by itself
SAID = 12  # lines shown of a command that failed


def run_child(command: Sequence[str], log: Path, grace: float = GRACE) -> int:
    """Runs a command to its end and returns its exit status (negative: the signal that ended it).

    Args:
        command: program and arguments.
        log: its output and errors are added to this file.
        grace: seconds that it has for ending by itself where this process is asked to end.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # so that output and errors are in their true order
    environment.pop("HYDRA_FULL_ERROR", None)  # run_command sets it; with it faults would be tracebacks
    with log.open("ab") as file:
        # A session of its own, so that the command's own processes can be stopped with it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            return process.wait()
        finally:
            _stop(process, grace)


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """Ends a command and whatever it started, at first with a request."""
    try:
        if process.poll() is None:
            signal_group(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    finally:  # also where a second request ends the wait
        signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Sends a signal to a process that leads a session of its own, and to whatever it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # nobody is left in it (macOS: only zombies)
            os.killpg(process.pid, number)
    elif process.poll() is None:
        process.terminate()


def last_lines(log: Path, start: int) -> list[str]:
    """The last lines that a command wrote.

    Args:
        log: the file.
        start: its size in bytes before the command ran.
    """
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]  # progress bars end in \r
    return [line for line in lines if line][-SAID:]


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
