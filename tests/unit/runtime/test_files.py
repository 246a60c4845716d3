import os

import pytest

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.files import remove_parts, written_whole
from pose_inpaint.runtime.hashing import file_digest


@pytest.mark.parametrize("synced", [True, False])
def test_a_file_appears_only_when_it_is_complete(tmp_path, synced):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_whole(path, synced=synced) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_unchanged_if_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(NotADirectoryError), written_whole(path) as part:
        (part / "no folder").write_text(part.write_text("half") and "more")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_regular_files_are_replaced(tmp_path):
    (tmp_path / "photo.png").write_text("photo")
    (tmp_path / "link").symlink_to(tmp_path / "photo.png")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "folder", "pipe"):
        with pytest.raises(InputError, match=f"{name}: not a regular file"), written_whole(tmp_path / name) as part:
            part.write_text("new")
    assert (tmp_path / "photo.png").read_text() == "photo"


def test_only_temporary_files_of_killed_processes_are_removed(tmp_path):
    writing = written_whole(tmp_path / "a.txt")
    part = writing.__enter__()
    part.write_text("half")
    for name in ("a.txt", ".masked", "b.part"):
        (tmp_path / name).write_text("kept")
    remove_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", ".masked", "b.part"}


EXAMPLE = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # "abc", in FIPS 180-2


def test_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == EXAMPLE
