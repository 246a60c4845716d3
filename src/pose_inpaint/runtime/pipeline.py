"""Threads that read ahead of a loop and write behind it, in order, with a bounded number of items in memory."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import Any, TypeVar

Item = TypeVar("Item")

END = object()
PAUSE = 0.1  # seconds between looks at whether a loop that is waited for has ended


def read_ahead(items: Iterable[Item], ahead: int = 1) -> Generator[Item]:
    """Yield items that a thread takes from an iterable, up to `ahead` of them before they are asked for.

    An exception of the iterable is raised after the items before it. Closing the iterator ends the thread.

    Args:
        items: Iterable, which only the thread uses.
        ahead: Largest number of items that wait; one more may be in the making.
    """
    ready: Queue[tuple[Any, BaseException | None]] = Queue(ahead)
    stopped = threading.Event()

    def put(item: object, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=PAUSE)
            except Full:
                continue
            return True
        return False

    def fill() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # raised in the loop's thread
            put(END, error)
        else:
            put(END)

    thread = threading.Thread(target=fill, daemon=True, name="read-ahead")
    thread.start()
    try:
        while (taken := ready.get())[0] is not END:
            yield taken[0]
        if taken[1] is not None:
            raise taken[1]
    finally:
        stopped.set()
        thread.join()


@contextmanager
def write_behind(write: Callable[[Item], None], behind: int = 1) -> Iterator[Callable[[Item], None]]:
    """Yield a function that hands an item to a thread, which writes the items in order.

    The block ends when all are written. If the block raises an `Exception`, what was handed over before it is still
    written; on Ctrl-C and other stop signals, only the item being written is finished. What `write` raises ends the
    writing, and is raised by the next call or at the end of the block.

    Args:
        write: Function that writes an item.
        behind: Largest number of items that wait; a call waits for room.
    """
    waiting: Queue[Any] = Queue(behind)
    stopped = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        while (item := waiting.get()) is not END:
            if stopped.is_set() or errors:
                continue
            try:
                write(item)
            except BaseException as error:  # raised in the block's thread
                errors.append(error)

    def hand_over(item: Item) -> None:
        if errors:
            raise errors[0]
        waiting.put(item)

    thread = threading.Thread(target=work, daemon=True, name="write-behind")
    thread.start()
    try:
        yield hand_over
    except Exception:
        raise
    except BaseException:
        stopped.set()
        raise
    finally:
        waiting.put(END)
        thread.join()
    if errors:
        raise errors[0]
