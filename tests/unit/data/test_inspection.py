import json
import os

import numpy as np
import pytest
from PIL import Image

from pose_inpaint.data import inspection
from pose_inpaint.data.inspection import Inspection, check_sound, inspect, inspect_once, warn_few
from pose_inpaint.data.masks import MaskData, MaskFolder, Squares
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.errors import InputError


def inspect_split(root, masks=None, split="val", size=16):
    return inspect(Chalearn(str(root)), masks or MaskData(), size, split)


def rewrite(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """Splits that were actually read, with a fresh cache."""
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path / "cache"))
    read = []

    def counting(source, masks, size, split, resizing):
        read.append(split)
        return inspect(source, masks, size, split, resizing)

    monkeypatch.setattr(inspection, "inspect", counting)
    return read


def test_valid_data_has_counts_mask_ratios_and_no_problem(tiny_data):
    result = inspect_split(tiny_data, size=48)
    assert (result.split, result.images, result.blind, result.problems) == ("val", 4, 0, [])
    assert len(result.mask_ratios) == 4
    assert all(0 < ratio < 1 for ratio in result.mask_ratios)


def test_mask_ratios_are_exact(tiny_data):
    for name in ("000", "001", "002", "003"):
        Image.new("RGB", (16, 16)).save(tiny_data / "val" / "Y" / f"{name}.png")
    rewrite(tiny_data / "val" / "maskdata.json", lambda blocks: {name: [[0, 0, 8]] for name in blocks})
    assert inspect_split(tiny_data).mask_ratios == [0.25] * 4


def test_progress_is_reported_once_per_image(tiny_data):
    calls = []
    inspect(Chalearn(str(tiny_data)), MaskData(), 16, "train", on_image=lambda: calls.append(1))
    assert len(calls) == 12


def test_images_without_an_original_are_counted(tiny_data):
    (tiny_data / "test" / "Y").rename(tiny_data / "test" / "X")
    assert inspect_split(tiny_data, split="test").blind == 4


def test_the_digest_is_the_same_for_the_same_data(tiny_data):
    assert inspect_split(tiny_data).digest == inspect_split(tiny_data).digest


def change_a_pixel(root):
    path = root / "val" / "Y" / "002.png"
    pixels = np.array(Image.open(path))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)


def change_a_byte_outside_the_pixels(root):
    path = root / "val" / "Y" / "002.png"
    Image.open(path).save(path, dpi=(72, 72))


def change_a_block(root):
    rewrite(root / "val" / "maskdata.json", lambda blocks: blocks | {"003.png": [[7, 0, 16]]})


def rename_an_image(root):
    (root / "val" / "Y" / "003.png").rename(root / "val" / "Y" / "004.png")
    rewrite(root / "val" / "maskdata.json", lambda b: {name.replace("003", "004"): block for name, block in b.items()})


@pytest.mark.parametrize("change", [change_a_pixel, change_a_byte_outside_the_pixels, change_a_block, rename_an_image])
def test_the_digest_changes_with_the_data(tiny_data, change):
    before = inspect_split(tiny_data).digest
    change(tiny_data)
    after = inspect_split(tiny_data)
    assert after.problems == []
    assert after.digest != before


def test_the_digest_changes_with_the_masks(tiny_data):
    assert len({inspect_split(tiny_data, masks).digest for masks in (MaskData(), Squares(1), Squares(2))}) == 3


def test_each_invalid_image_is_reported_and_the_others_are_measured(tiny_data):
    folder = tiny_data / "val" / "Y"
    (folder / "000.png").write_bytes(b"")
    (folder / "002.png").write_text("text")
    result = inspect_split(tiny_data)
    assert len(result.mask_ratios) == 2
    assert [problem.split(": ")[0] for problem in result.problems] == [f"{folder}/000.png", f"{folder}/002.png"]


def test_a_block_outside_its_image_is_reported_with_the_path(tiny_data):
    rewrite(tiny_data / "val" / "maskdata.json", lambda blocks: blocks | {"001.png": [[40, 0, 16]]})
    assert inspect_split(tiny_data).problems == [
        f"{tiny_data}/val/Y/001.png: in maskdata.json, its block [40, 0, 16] exceeds the image of 48 rows and "
        "40 columns; correct or remove it"
    ]


@pytest.mark.parametrize(("value", "says"), [(0, "covers nothing"), (255, "covers the whole image")])
def test_an_empty_or_full_mask_is_reported(tiny_data, tmp_path, value, says):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("000", "001", "002", "003"):
        pixels = np.full((48, 40), value, dtype=np.uint8)
        pixels[:20] = 255 - pixels[:20] if name != "002" else pixels[:20]
        Image.fromarray(pixels).save(masks / f"{name}.png")
    assert inspect_split(tiny_data, MaskFolder(str(masks))).problems == [
        f"{tiny_data}/val/Y/002.png: its mask {says}; change it"
    ]


def test_each_missing_entry_of_maskdata_is_reported_once(tiny_data):
    rewrite(tiny_data / "val" / "maskdata.json", lambda blocks: {"000.png": blocks["000.png"], "001.png": 3})
    problems = inspect_split(tiny_data).problems
    assert [sum(name in problem for problem in problems) for name in ("001.png", "002.png", "003.png")] == [1, 1, 1]
    assert len(problems) == 3


def test_a_missing_maskdata_is_one_problem_not_one_per_image(tiny_data):
    (tiny_data / "val" / "maskdata.json").unlink()
    assert [problem.split(": ")[:2] for problem in inspect_split(tiny_data).problems] == [
        [f"{tiny_data}/val/maskdata.json", "no such file; add it, or draw masks with mask=squares"]
    ]


def test_valid_data_passes():
    check_sound([Inspection("train", 1, 0, ""), Inspection("val", 1, 0, "")])


def test_the_first_problem_is_raised_and_the_others_counted():
    result = [Inspection("train", 2, 0, "", problems=["one"]), Inspection("val", 2, 0, "", problems=["two", "three"])]
    with pytest.raises(InputError, match=r"^one \(and 2 more: python -m pose_inpaint\.verify lists them\)$"):
        check_sound(result)
    with pytest.raises(InputError, match=r"^one$"):
        check_sound(result[:1])


def test_an_inspection_is_cached(tiny_data, counted):
    first, second = (inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val") for _ in range(2))
    assert counted == ["val"]
    assert first == second


def grow_an_image(root):
    with (root / "val" / "Y" / "000.png").open("ab") as file:
        file.write(b" ")


def date_an_image(root):
    os.utime(root / "val" / "Y" / "000.png", ns=(0, 12345))


def add_an_image(root):
    Image.new("RGB", (4, 4)).save(root / "val" / "Y" / "new.png")


@pytest.mark.parametrize("change", [grow_an_image, date_an_image, change_a_block, add_an_image])
def test_a_changed_file_invalidates_the_cache(tiny_data, counted, change):
    for _ in range(2):
        inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val")
    change(tiny_data)
    inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val")
    assert counted == ["val", "val"]


def test_split_size_and_masks_are_cached_separately(tiny_data, counted):
    source = Chalearn(str(tiny_data))
    requests = [(MaskData(), 16, "val"), (MaskData(), 16, "test"), (MaskData(), 20, "val"), (Squares(1), 16, "val"),
             (Squares(2), 16, "val"), (Squares(1, max_share=0.6), 16, "val")]  # fmt: skip
    for _ in range(2):
        for masks, size, split in requests:
            inspect_once(source, masks, size, split)
    assert len(counted) == len(requests)


def test_a_changed_mask_file_invalidates_the_cache(tiny_data, counted, tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("000", "001", "002", "003"):
        Image.fromarray(np.eye(48, 40, dtype=np.uint8) * 255).save(tmp_path / "masks" / f"{name}.png")
    masks = MaskFolder(str(tmp_path / "masks"))
    for _ in range(2):
        inspect_once(Chalearn(str(tiny_data)), masks, 16, "val")
    assert counted == ["val"]
    Image.new("L", (40, 48), 200).save(tmp_path / "masks" / "001.png")
    assert inspect_once(Chalearn(str(tiny_data)), masks, 16, "val").problems
    assert counted == ["val", "val"]


def test_invalid_data_is_never_cached(tiny_data, counted):
    (tiny_data / "val" / "Y" / "000.png").write_bytes(b"")
    for _ in range(2):
        assert inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val").problems
    assert counted == ["val", "val"]


def test_an_unwritable_cache_is_ignored(tiny_data, counted, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val").images == 4
    assert counted == ["val", "val"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"split": "val", "pictures": 4}', "\xff"])
def test_an_unreadable_cached_inspection_is_made_again(tiny_data, counted, tmp_path, content):
    first = inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val")
    (cached,) = (tmp_path / "cache" / "inspected").iterdir()
    cached.write_bytes(content.encode("latin-1"))
    again = [inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val") for _ in range(2)]
    assert again == [first, first]
    assert counted == ["val", "val"]


def test_a_cached_inspection_of_another_version_is_not_read(tiny_data, counted, monkeypatch):
    for version in (1, 1, 2):
        monkeypatch.setattr(inspection, "CACHE_VERSION", version)
        inspect_once(Chalearn(str(tiny_data)), MaskData(), 16, "val")
    assert counted == ["val", "val"]


@pytest.mark.parametrize(("images", "text"), [(1, "only 1 image:"), (19, "only 19 images:"), (20, None)])
def test_few_images_are_said(capsys, images, text):
    warn_few("test", images)
    out = capsys.readouterr().out
    assert out == "" if text is None else f"warning: test: {text}" in out
