"""Stop signals: handlers, exit statuses and messages of runs that are stopped early."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = ("SIGTERM", "SIGUSR1", "SIGHUP", "SIGINT")
"""Stop signals: sent by a cluster or `kill`, by Slurm some time before the time limit, by a terminal or connection that
closes, and by Ctrl-C."""
STOPPED = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, try again later
BY_CTRL_C = 128 + signal.SIGINT


def stopped_status(number: int) -> int:
    """Exit status of a run that a signal stopped cleanly."""
    return BY_CTRL_C if number == signal.SIGINT else STOPPED


class StopRequestedError(SystemExit):
    """A signal stopped the run, which can be resumed from its checkpoint.

    Derived from `SystemExit` since it is no error: handlers of `Exception` must not record it as a failure. Its `code`
    is the exit status (130 after Ctrl-C, 75 after any other signal), its `message` is for the user.

    Args:
        number: Signal received.
        checkpoint: Checkpoint to resume from; missing if the signal came before the first one.
        done: Progress of the run, for the message.
    """

    def __init__(self, number: int, checkpoint: Path, done: str) -> None:
        super().__init__(stopped_status(number))
        advice = f"continue with resume={checkpoint}" if checkpoint.is_file() else "there is no checkpoint yet"
        self.arguments = (number, checkpoint, done)
        self.message = f"stopped by {signal.Signals(number).name} ({done}); {advice}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the constructor's arguments, so that a launcher's process can pass the exception to its parent."""
        return type(self), self.arguments  # exceptions pickle `args` by default, here the exit status only


def handle_requests(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> dict[int, Any]:
    """Set the handler of each stop signal and return the previous handlers; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():  # Python allows only the main thread to set handlers
        return {}
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]  # Windows lacks some
    # Ignored signals stay ignored: `nohup` and a shell's background jobs rely on it.
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heeded}


def restore_handlers(before: Mapping[int, Any]) -> None:
    """Restore the handlers returned by `handle_requests`."""
    for number, handler in before.items():
        if handler is not None:  # None: not installed from Python, so it can't be restored
            signal.signal(number, handler)


@contextmanager
def handling_requests(handler: Callable[[int], None]) -> Iterator[None]:
    """Call `handler` with the number of each stop signal received in the block."""
    before = handle_requests(lambda number, _: handler(number))
    try:
        yield
    finally:
        restore_handlers(before)


@contextmanager
def ending_by_request(checkpoint: Path, done: str) -> Iterator[None]:
    """Raise `StopRequestedError` on a stop signal at once: for parts of a run that have nothing to save."""

    def end(number: int) -> None:
        raise StopRequestedError(number, checkpoint, done)

    with handling_requests(end):
        yield


@contextmanager
def ending_by_exception() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on Ctrl-C and `SystemExit` (128 + signal) on other stop signals.

    By default, SIGTERM ends Python without running `finally` blocks, which would leave child processes behind.
    """

    def end(number: int) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    with handling_requests(end):
        yield


def let_go_of_closed_outputs() -> None:
    """Redirect stdout and stderr to the null device if their terminal or pipe is closed.

    A closed terminal, or Ctrl-C in a pipeline, both sends a stop signal and closes the output. The next write, such as
    a progress bar or the final message, would then raise an error and prevent a clean stop.
    """
    if not hasattr(select, "poll"):  # Windows
        return
    for output in (1, 2):
        poll = select.poll()
        poll.register(output, 0)  # 0: POLLERR and POLLHUP are always reported
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, output)  # replaces the descriptor itself, so that C code and child processes follow
            os.close(null)


def say_last(message: str) -> None:
    """Flush stdout and print a final message to stderr, without failing if they are closed."""
    let_go_of_closed_outputs()
    for text, output in (("", sys.stdout), (f"{message}\n", sys.stderr)):
        try:
            output.write(text)
            output.flush()
        except OSError:  # closed since the check; redirect, so that flushing at exit does not fail either
            let_go_of_closed_outputs()
