"""Runs that end before they are done, on request."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

SIGNALS = ("SIGTERM", "SIGUSR1", "SIGHUP", "SIGINT")
"""Requests to end: of a cluster or `kill`, of Slurm some time before it takes the machine away, of a terminal or a
connection that was closed, of Ctrl-C."""
STOPPED = 75  # exit status EX_TEMPFAIL of sysexits.h: nothing is wrong, try again later
BY_CTRL_C = 128 + signal.SIGINT


def stopped_status(number: int) -> int:
    """The exit status of what a request ended in good order."""
    return BY_CTRL_C if number == signal.SIGINT else STOPPED


class StopRequestedError(SystemExit):
    """The process was asked to end, and a checkpoint to go on from is there.

    No fault, and so no `Exception`: whoever records faults lets it pass.

    Args:
        number: the signal that asked.
        checkpoint: where to go on from; it is there unless the request came before the first one.
        done: how far the run got, for people.

    Attributes:
        code: the exit status: 75 of a run that a cluster or `kill` ended and that can go on, 130 after Ctrl-C.
        message: for people.
    """

    def __init__(self, number: int, checkpoint: Path, done: str) -> None:
        super().__init__(stopped_status(number))
        way = f"go on with resume={checkpoint}" if checkpoint.is_file() else "there is no checkpoint yet"
        self.arguments = (number, checkpoint, done)
        self.message = f"stopped by {signal.Signals(number).name} ({done}); {way}"

    def __reduce__(self) -> tuple[Any, ...]:
        """How it travels from a launcher's process to ours."""
        return type(self), self.arguments


def handle_requests(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> dict[int, Any]:
    """Sets the handler of each request, and returns those that were there; only a main thread can, others change none.

    A request that is ignored, as `nohup` and a shell's background jobs have it, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heeded}


def restore_handlers(before: Mapping[int, Any]) -> None:
    """Undoes `handle_requests`."""
    for number, handler in before.items():
        if handler is not None:  # else it was none of Python's, and can't be put back
            signal.signal(number, handler)


@contextmanager
def handling_requests(handler: Callable[[int], None]) -> Iterator[None]:
    """Has a function called with the number of each request that comes meanwhile."""
    before = handle_requests(lambda number, _: handler(number))
    try:
        yield
    finally:
        restore_handlers(before)


@contextmanager
def ending_by_request(checkpoint: Path, done: str) -> Iterator[None]:
    """Makes a request to end a `StopRequestedError` at once: for the parts of a run that have nothing to save."""

    def end(number: int) -> None:
        raise StopRequestedError(number, checkpoint, done)

    with handling_requests(end):
        yield


@contextmanager
def ending_by_exception() -> Iterator[None]:
    """Makes a request to end an exception, so that what this process started can be stopped.

    `KeyboardInterrupt` for Ctrl-C, `SystemExit` with 128 and the signal's number for others.
    """

    def end(number: int) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    with handling_requests(end):
        yield


def let_go_of_closed_outputs() -> None:
    """Has what is still printed go nowhere where the terminal, or the reader of a pipe, is gone.

    What closes a terminal, or Ctrl-C where our output is another command's input, asks us to end and takes our output
    away; the next progress bar, or the line that says where to go on, would then be a fault.
    """
    if not hasattr(select, "poll"):
        return
    for output in (1, 2):
        asked = select.poll()
        asked.register(output, 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in asked.poll(0)):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output)
            os.close(nowhere)


def say_last(message: str) -> None:
    """Prints what a request leaves to say, and all that was printed before; to nowhere if nobody is left to read it."""
    let_go_of_closed_outputs()
    for text, output in (("", sys.stdout), (f"{message}\n", sys.stderr)):
        try:
            output.write(text)
            output.flush()
        except OSError:  # its reader went just now
            let_go_of_closed_outputs()
