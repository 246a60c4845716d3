import pytest

from pose_inpaint.web.store import KeptFile, Store


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("pose_inpaint.web.store.time.monotonic", lambda: now[0])
    return now


def file(size, name="a"):
    return KeptFile(name, bytes(size))


def test_a_file_is_found_by_its_key_and_taken_once():
    store = Store(1000, 60)
    first, second = store.keep(file(3, "a")), store.keep(file(3, "a"))
    assert first != second
    assert min(len(first), len(second)) >= 32  # can't be guessed
    assert store.find(first) == store.find(first) == file(3, "a")
    assert store.take(first) == file(3, "a")
    assert store.take(first) is store.find(first) is store.find("") is None
    assert store.find(second) == file(3, "a")


def test_the_oldest_are_dropped_when_all_are_too_large_but_never_the_newest():
    store = Store(10, 60)
    keys = [store.keep(file(size)) for size in (4, 4, 4)]
    assert [store.find(key) is not None for key in keys] == [False, True, True]
    large = store.keep(file(11))
    assert [store.find(key) is not None for key in (*keys, large)] == [False, False, False, True]


def test_old_files_are_dropped(clock):
    store = Store(1000, 60)
    old = store.keep(file(1))
    clock[0] += 30
    new = store.keep(file(1))
    clock[0] += 31
    assert store.find(old) is None
    assert store.find(new) is not None
    assert len(store.files) == 1
