"""The lock of a run's folder, where the operating system behaves differently, and whose folder it is."""

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


@pytest.mark.parametrize(
    ("files", "command", "holds"),
    [
        (["notes.txt"], "report", None),
        (["scores.json", "config.yaml"], "evaluate", None),
        (["differences.csv", "table.md", "contact_sheet.png"], "report", None),
        (["status.json", "scores.json", "checkpoints"], "train", None),
        (["checkpoints"], "train", None),
        (["status.json", "scores.json", "checkpoints"], "evaluate", "holds what train wrote"),
        (["scores.json"], "report", "holds what evaluate wrote"),
        (["scores.json"], "train", "holds what evaluate wrote"),
        (["differences.csv"], "evaluate", "holds what report wrote"),
        (["checkpoints", "scores.json"], "evaluate", "holds what train or train_pose wrote"),
        (["table.csv"], "report", "has a table.csv that report didn't write"),
        (["config.yaml"], "train", "has a config.yaml that train didn't write"),
    ],
)
def test_a_folder_of_another_command_or_of_the_user_is_refused(tmp_path, files, command, holds):
    for name in files:
        (tmp_path / name).touch()
    if holds is None:
        with locked(tmp_path, "output", command=command):
            pass
    else:
        with (
            pytest.raises(InputError, match=f"output={tmp_path}: {holds}"),
            locked(tmp_path, "output", command=command),
        ):
            pytest.fail("not refused")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_a_folder_that_was_made_and_stays_empty_is_removed(tmp_path):
    with locked(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]
