import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TRAIN = ("+experiment=authors2018", "trainer=cpu", "model.width=2", "data=chalearn", "data.size=32",
         "data.batch_size=4", "data.workers=0", "loss.generator.perceptual.weight=0")  # fmt: skip


def edit(root, split, change):
    path = root / split / "maskdata.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.fixture
def invalid(tiny_data):
    """A data set with many problems, and the text expected in the report of each."""
    train, val, test = tiny_data / "train", tiny_data / "val", tiny_data / "test"
    (train / "Y" / "000.png").write_bytes(b"")
    (train / "Y" / "001.png").write_text("not an image")
    whole = (train / "Y" / "002.png").read_bytes()
    (train / "Y" / "002.png").write_bytes(whole[: len(whole) // 2])
    (train / "Y" / "003.png").unlink()
    edit(train.parent, "train", lambda b: b | {"004.png": [[1, 2]], "005.png": [[47, 0, 16]], "006.png": []})
    edit(train.parent, "train", lambda b: {name: blocks for name, blocks in b.items() if name != "007.png"})
    (val / "X").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 48)).save(val / "X" / f"{number:03}.png")
    Image.new("RGB", (40, 47)).save(val / "X" / "000.png")
    (val / "X" / "001.png").unlink()
    (val / "Y" / "002.png").unlink()
    edit(val.parent, "val", lambda b: {name: blocks for name, blocks in b.items() if name != "002.png"})
    for path in (test / "Y").iterdir():
        path.unlink()
    return tiny_data, {
        f"{train}/Y/000.png": "empty file (0 bytes); replace or remove it",
        f"{train}/Y/001.png": "not an image that Pillow can read; replace or remove it",
        f"{train}/Y/002.png": "damaged or truncated image",
        f"{train}/maskdata.json: lists 003.png": "which is missing; add the image or remove the entry",
        f"{train}/maskdata.json: 004.png": "block [1, 2] is not [row, column, size] in integers; correct or",
        f"{train}/Y/005.png": "block [47, 0, 16] exceeds the image of 48 rows and 40 columns; correct or remove it",
        f"{train}/Y/006.png": "lists no blocks: nothing is masked; correct or remove it",
        f"{train}/maskdata.json: 007.png": "is not listed; add its blocks",
        f"{val}/X/000.png": f"47x40 pixels, but its original {val}/Y/000.png has 48x40; make them the same size",
        f"{val}/Y/001.png": f"no masked image {val}/X/001.png; add it or remove its partner",
        f"{val}/X/002.png": f"no original {val}/Y/002.png; add it or remove its partner",
        f"{test}": "empty split",
    }


def test_valid_data_exits_with_0_and_prints_counts_and_mask_ratios(tiny_data, command):
    for split in ("train", "val", "test"):
        edit(tiny_data, split, lambda b: {name: [[0, 0, 24]] for name in b} | {"000.png": [[0, 0, 12]]})
    outcome = command("verify", "data=chalearn", f"data.root={tiny_data}", "data.size=48")
    assert outcome.status == 0
    warnings = [line for line in outcome.out.splitlines() if line.startswith("warning: ")]
    lines = [line for line in outcome.out.splitlines() if line not in warnings]
    assert [line.split(";")[0] for line in lines] == [
        "train: 12 images", "val: 4 images", "test: 4 images", "no problem found",
    ]  # fmt: skip
    for line, split, count in zip(warnings, ("train", "val", "test"), (12, 4, 4), strict=True):
        assert line.startswith(f"warning: {split}: only {count} images: ")
    shares = re.search(r"mean ([\d.]+)%, median ([\d.]+)%, from ([\d.]+)% to ([\d.]+)%; 0 problems", lines[1])
    low, high = 100 * 12 * 12 / (48 * 40), 100 * 24 * 24 / (48 * 40)  # before resizing to a square
    mean, median, least, most = map(float, shares.groups())
    assert abs(least - low) < 1.5
    assert abs(most - high) < 1.5
    assert median == most
    assert abs(mean - (least + 3 * most) / 4) < 0.1


def test_the_digest_changes_with_the_data(tiny_data, command):
    arguments = ("verify", "data=chalearn", f"data.root={tiny_data}", "splits=[val]")
    before = command(*arguments).out
    assert re.search(r"; data [0-9a-f]{12}$", before.splitlines()[0])
    assert command(*arguments).out == before
    edit(tiny_data, "val", lambda b: b | {"000.png": [[1, 1, 20]]})
    assert command(*arguments).out.split("data ")[1] != before.split("data ")[1]


def test_a_blind_test_split_is_no_problem(tiny_data, command):
    (tiny_data / "test" / "Y").rename(tiny_data / "test" / "X")
    outcome = command("verify", "data=chalearn", f"data.root={tiny_data}")
    assert outcome.status == 0
    assert "test: 4 images, 4 without an original;" in outcome.out


def test_exactly_the_expected_problems_are_reported(invalid, command):
    root, expected = invalid
    outcome = command("verify", "data=chalearn", f"data.root={root}")
    assert outcome.status == 1
    lines = [line for line in outcome.err.splitlines() if line.startswith(str(root))]
    for start, words in expected.items():
        assert [words in line for line in lines if line.startswith((f"{start}:", f"{start},", f"{start} is"))] == [True]
    assert len(lines) == len(expected)
    assert f"{len(expected)} problems found" in outcome.out
    assert "train: 11 images" in outcome.out


def test_training_rejects_invalid_data_with_the_same_message_and_writes_nothing(invalid, command):
    root, _ = invalid
    verified = command("verify", "data=chalearn", f"data.root={root}")
    lines = [line for line in verified.err.splitlines() if line.startswith(str(root))]
    trained = command("train", *TRAIN, f"data.root={root}")
    assert trained.status == 2
    assert trained.err.splitlines()[-1].startswith(f"error: {lines[0]} (and {len(lines) - 1} more: ")
    assert "Traceback" not in trained.err
    assert [path for path in Path.cwd().rglob("*") if path.is_file()] == []


def test_training_on_a_split_without_originals_is_rejected(tiny_data, command):
    (tiny_data / "train" / "Y").rename(tiny_data / "train" / "X")
    trained = command("train", *TRAIN, f"data.root={tiny_data}")
    assert trained.status == 2
    assert "only a test split may lack its originals" in trained.err


def test_masks_of_a_folder_are_verified_too(tiny_data, command, tmp_path):
    (tmp_path / "masks").mkdir()
    for number in range(3):
        Image.fromarray(np.eye(48, 40, dtype=np.uint8) * 255).save(tmp_path / "masks" / f"{number:03}.png")
    outcome = command("verify", "data=chalearn", f"data.root={tiny_data}", "mask=folder",
                    f"mask.root={tmp_path}/masks", "splits=[val]")  # fmt: skip
    assert outcome.status == 1
    assert f"003.png: no mask image 003.* in {tmp_path}/masks; add one" in outcome.err
    assert "1 problem found" in outcome.out


def test_any_folder_is_verified_with_drawn_squares(tiny_data, command):
    outcome = command("verify", "data=folder", f"data.root={tiny_data}/train/Y", "mask=squares",
                    "data.source.fractions=[0.5,0.25,0.25]", "splits=[train]")  # fmt: skip
    assert outcome.status == 0
    assert re.match(r"train: \d+ images; mask ratio: mean", outcome.out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data.root=nowhere"], "error: data.root=nowhere: no such folder"),
        ([], "data.root"),
        (["data.root=.", "splits=[train,exam]"], "error: splits=['train', 'exam']: choose from train, val, test"),
        (["data.root=.", "splits=[]"], "error: splits=[]: choose from train, val, test"),
        (["data.root=.", "data.size=3"], "error: data.size=3: must be in 16..16384"),
        (["data.root=.", "mask=sketch"], "mask/sketch"),
        (["data.root=.", "mask=folder", "mask.root=nowhere"], "error: mask.root=nowhere: no such folder"),
        (["data.root=.", "data.sizes=32"], "sizes"),
    ],
)
def test_command_line_errors_are_one_line_with_status_2(command, arguments, says):
    outcome = command("verify", "data=chalearn", *arguments)
    assert outcome.status == 2
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("error: ")


def test_a_data_set_without_a_test_split_is_valid(command, tiny_data):
    for path in sorted((tiny_data / "test").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tiny_data / "test").rmdir()
    outcome = command("verify", "data=chalearn", f"data.root={tiny_data}", "data.size=48")
    assert outcome.status == 0, outcome.err
    assert "test: no such split; training will end without test scores" in outcome.out


def test_a_photo_in_two_splits_is_named_whatever_its_name_and_format(command, tiny_data, tmp_path):
    copy = tiny_data / "test" / "Y" / "copy.bmp"
    with Image.open(tiny_data / "train" / "Y" / "003.png") as photo:
        photo.save(copy)
    listed = json.loads((tiny_data / "test" / "maskdata.json").read_text())
    (tiny_data / "test" / "maskdata.json").write_text(json.dumps({**listed, "copy.bmp": [[0, 0, 9]]}))
    (tiny_data / "test" / "notes.txt").touch()
    outcome = command("verify", "data=chalearn", f"data.root={tiny_data}", "data.size=32")
    assert outcome.status == 1
    assert outcome.err == (
        f"{copy}: the same photo as {tiny_data}/train/Y/003.png, so test is not independent of train; remove one\n"
    )
    assert "1 problem found" in outcome.out
    assert "1 files are not images, and not read: test/notes.txt" in outcome.out
