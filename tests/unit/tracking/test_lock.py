"""The lock of a run's folder, where the operating system behaves differently."""

from pathlib import Path

import pytest

from pose_inpaint.errors import InputError
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked


def test_a_lock_file_that_cannot_be_written_to_locks_all_the_same(tmp_path, monkeypatch):
    """Windows lets no handle but the lock's own write to the first byte."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    for _ in range(2):  # the first one releases the lock
        with locked(tmp_path):
            assert (tmp_path / LOCK).exists()
        assert not (tmp_path / LOCK).exists()


def test_a_disk_without_locks_is_refused(tmp_path, monkeypatch):
    """A file whose mere presence locks would outlive a killed run."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match="can't be locked there"), locked(tmp_path):
        pytest.fail("locked by a file's presence")
