import pytest
from PIL import Image

from pose_inpaint.data.photo_folder import check_writable, exists, plan
from pose_inpaint.errors import InputError


def targets(folder, names, suffix):
    for name in names:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).touch()
    planned = plan(str(folder / "in"), folder / "out", suffix)
    return {name: target.relative_to(folder / "out").as_posix() for name, _, target in planned}


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("png", ["c.d.png", "e.png", "f.png", "g.png", "sub/a.png"]),
        ("jpg", ["c.d.jpg", "e.jpg", "f.jpg", "g.jpg", "sub/a.jpg"]),
        ("same", ["c.d.JPG", "e.png", "f.tiff", "g.webp", "sub/a.png"]),
        ("preview.png", ["c.d.preview.png", "e.preview.png", "f.preview.png", "g.preview.png", "sub/a.preview.png"]),
    ],
)
def test_the_plan_keeps_names_and_changes_suffixes(tmp_path, suffix, expected):
    found = targets(tmp_path, ("c.d.JPG", "e.gif", "f.tiff", "g.webp", "sub/a.png"), suffix)
    assert list(found.values()) == expected


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("png", {"a.gif": "a.gif.png", "a.jpg": "a.jpg.png", "a.png": "a.png.png", "b.jpg": "b.png"}),
        ("same", {"a.gif": "a.gif.png", "a.jpg": "a.jpg", "a.png": "a.png.png", "b.jpg": "b.jpg"}),
    ],
)
def test_names_that_would_clash_keep_their_extension(tmp_path, suffix, expected):
    assert targets(tmp_path, expected, suffix) == expected


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    with pytest.raises(InputError, match=r"output=.*out: can't be written \(Permission denied\); give another folder"):
        check_writable(tmp_path / "out")


def test_a_file_of_another_program_is_not_an_output(tmp_path):
    assert not exists(tmp_path / "a.jpg")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: exists, and was not written by predict"):
        exists(tmp_path / "a.jpg")
