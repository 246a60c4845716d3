"""Threads around a loop: order, bounds and errors."""

import threading

import pytest

from pose_inpaint.runtime.pipeline import read_ahead, write_behind


def test_items_come_in_order_and_at_most_so_many_ahead():
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    seen = []
    for item in read_ahead(items(), ahead=2):
        seen.append(item)
        assert len(taken) <= len(seen) + 2 + 1  # those that wait, and one in the making
    assert seen == taken == list(range(20))


def test_an_error_of_the_iterable_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise OSError("third")

    seen = []
    with pytest.raises(OSError, match="third"):
        seen.extend(iter(read_ahead(items(), ahead=8)))
    ahead = read_ahead(items(), ahead=8)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="third"):
        next(ahead)


def test_a_loop_that_ends_early_ends_the_thread():
    before = threading.active_count()
    ahead = read_ahead(iter(range(1000)))
    assert next(ahead) == 0
    assert threading.active_count() == before + 1
    ahead.close()
    assert threading.active_count() == before


def test_items_are_written_in_order_by_the_end_of_the_block():
    written = []
    with write_behind(written.append) as hand_over:
        for number in range(50):
            hand_over(number)
    assert written == list(range(50))


def test_what_is_handed_over_before_an_error_is_written_but_not_after_ctrl_c():
    for error, expected in ((ValueError, [0, 1, 2]), (KeyboardInterrupt, [0])):
        written, go, begun = [], threading.Event(), threading.Event()

        def write(item, written=written, go=go, begun=begun):
            begun.set()
            go.wait(10)
            written.append(item)

        def work(error=error, write=write, go=go, begun=begun):
            with write_behind(write, behind=2) as hand_over:
                for number in range(3):
                    hand_over(number)
                    begun.wait(10)
                threading.Timer(0.2, go.set).start()  # after the block has ended
                raise error

        with pytest.raises(error):
            work()
        assert written == expected


def test_an_error_of_writing_ends_the_work():
    written, handed = [], []

    def write(item):
        if item == 2:
            raise OSError("disk full")
        written.append(item)

    def work():
        with write_behind(write) as hand_over:
            for number in range(1000):
                hand_over(number)
                handed.append(number)

    with pytest.raises(OSError, match="disk full"):
        work()
    assert written == [0, 1]
    assert len(handed) < 10
