import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pose_inpaint.config.block_schema import SPLITS
from pose_inpaint.data.joints import JOINTS as COMMON
from pose_inpaint.data.maskdata import Block
from pose_inpaint.data.sources import Chalearn, Folder, read_joints
from pose_inpaint.errors import InputError

JOINTS = {"joint_names": list(COMMON), "joints": {"a.png": [[n, 2 * n, n % 2] for n in range(14)]}}


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


def write(folder, **content):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in content.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def blocks(*names):
    return {name: [[0, 1, 2]] for name in names}


@pytest.fixture
def test_split(tmp_path):
    return tmp_path / "test"


def problems(root, split="test", *, maskdata=True):
    return Chalearn(str(root)).listing(split, maskdata=maskdata).problems


def test_originals_alone_are_enough(tmp_path, test_split):
    touch(test_split / "Y", "b.png", "a.png")
    write(test_split, maskdata=blocks("a.png", "b.png"))
    listing = Chalearn(str(tmp_path)).listing("test", maskdata=True)
    assert listing.problems == []
    assert [record.name for record in listing.records] == ["a.png", "b.png"]
    assert listing.records[0].original == test_split / "Y" / "a.png"
    assert listing.records[0].masked is None
    assert listing.records[0].blocks == (Block(0, 1, 2),)
    assert listing.records[0].joints is None


def test_masked_images_are_paired_by_name(tmp_path, test_split):
    touch(test_split, "X/a.png", "X/b.png", "Y/a.png", "Y/b.png")
    write(test_split, maskdata=blocks("a.png", "b.png"))
    records = Chalearn(str(tmp_path)).listing("test", maskdata=True).records
    assert [record.masked for record in records] == [test_split / "X" / "a.png", test_split / "X" / "b.png"]
    assert [record.path for record in records] == [test_split / "Y" / "a.png", test_split / "Y" / "b.png"]


def test_a_blind_test_split_has_only_masked_images(tmp_path, test_split):
    touch(test_split / "X", "a.png")
    write(test_split, maskdata=blocks("a.png"))
    listing = Chalearn(str(tmp_path)).listing("test", maskdata=True)
    assert listing.problems == []
    assert [(record.original, record.masked) for record in listing.records] == [(None, test_split / "X" / "a.png")]


@pytest.mark.parametrize("split", ["train", "val"])
def test_only_a_test_split_may_be_blind(tmp_path, split):
    touch(tmp_path / split / "X", "a.png")
    write(tmp_path / split, maskdata=blocks("a.png"))
    assert problems(tmp_path, split) == [
        f"{tmp_path / split}: no image in {tmp_path / split / 'Y'}; only a test split may lack its originals"
    ]


def test_a_blind_split_needs_blocks_with_any_masks(tmp_path, test_split):
    touch(test_split / "X", "a.png")
    assert "no such file" in problems(tmp_path, maskdata=False)[0]


def test_images_without_partner_are_each_reported(tmp_path, test_split):
    touch(test_split, "X/a.png", "X/c.png", "Y/a.png", "Y/b.png")
    write(test_split, maskdata=blocks("a.png", "b.png"))
    assert problems(tmp_path) == [
        f"{test_split}/X/c.png: no original {test_split}/Y/c.png; add it or remove its partner",
        f"{test_split}/Y/b.png: no masked image {test_split}/X/b.png; add it or remove its partner",
    ]


def test_an_empty_split_is_reported(tmp_path, test_split):
    (test_split / "Y").mkdir(parents=True)
    assert len(problems(tmp_path)) == 1
    assert problems(tmp_path)[0].startswith(f"{test_split}: empty split")


def test_a_missing_split_is_reported(tmp_path, test_split):
    assert not Chalearn(str(tmp_path)).has("test")
    assert problems(tmp_path)[0].startswith(f"{test_split}: no such folder; expected test/Y/NAME.png")


def test_a_split_that_is_there_is_known(tmp_path, test_split):
    test_split.mkdir()
    assert Chalearn(str(tmp_path)).has("test")


@pytest.mark.parametrize("root", [None, ""])
@pytest.mark.parametrize("kind", [Chalearn, Folder])
def test_no_root_says_how_to_give_one(kind, root):
    with pytest.raises(InputError, match=r"data\.root is missing: give data\.root=DIR"):
        kind(root)


@pytest.mark.parametrize("kind", [Chalearn, Folder])
def test_a_missing_root_is_reported(tmp_path, kind):
    with pytest.raises(InputError, match=rf"data\.root={tmp_path}/none: no such folder"):
        kind(str(tmp_path / "none"))


def test_maskdata_that_lists_another_image_or_lacks_one_is_reported(tmp_path, test_split):
    touch(test_split / "Y", "a.png", "b.png")
    write(test_split, maskdata=blocks("a.png", "gone.png"))
    path = test_split / "maskdata.json"
    assert problems(tmp_path) == [
        f"{path}: lists gone.png, which is missing; add the image or remove the entry",
        f"{path}: b.png is not listed; add its blocks",
    ]
    assert problems(tmp_path, maskdata=False) == []


def test_invalid_entries_of_maskdata_are_reported_even_if_unused(tmp_path, test_split):
    touch(test_split / "Y", "a.png")
    write(test_split, maskdata={"a.png": [[1, 2]]})
    expected = f"{test_split}/maskdata.json: a.png: block [1, 2] is not [row, column, size] in integers; "
    assert problems(tmp_path) == [expected + "correct or remove it"]
    assert problems(tmp_path, maskdata=False) == problems(tmp_path)


def test_maskdata_may_be_missing_where_it_is_not_used(tmp_path, test_split):
    touch(test_split / "Y", "a.png")
    assert problems(tmp_path, maskdata=False) == []
    assert [line.split(":")[0] for line in problems(tmp_path)] == [f"{test_split}/maskdata.json"]


def test_joints_come_with_their_image(tmp_path, test_split):
    touch(test_split / "Y", "a.png", "b.png")
    write(test_split, maskdata=blocks("a.png", "b.png"), joints=JOINTS)
    records = Chalearn(str(tmp_path)).listing("test", maskdata=True).records
    assert records[0].joints == tuple((n, 2 * n, n % 2) for n in range(14))
    assert records[1].joints is None


def test_a_missing_joints_file_is_no_error(tmp_path):
    assert read_joints(tmp_path / "joints.json") == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not {"),
        ("[]", "not {"),
        ('{"joints": {}}', "joint_names"),
        ('{"joint_names": ["head"]}', "joints"),
        ('{"joint_names": ["head"], "joints": []}', "not {"),
        ('{"joint_names": ["head"], "joints": {"a.png": [[1, 2]]}}', "not {"),
        ('{"joint_names": ["head"], "joints": {"a.png": [[1, 2, "there"]]}}', "there"),
        ('{"joint_names": ["head"], "joints": {"a.png": null}}', "not {"),
        ('{"joint_names": ["head"], "joints": {"a.png": [[1, 2, 1], [3, 4, 1]]}}', "a.png has 2 joints, expected 1"),
        ('{"joint_names": ["head"], "joints": {"a.png": [[1, 2, 1]]}}', "unknown set of joints, right_hip"),
    ],
)
def test_an_invalid_joints_file_is_reported_in_one_line(tmp_path, content, says):
    (tmp_path / "joints.json").write_text(content)
    with pytest.raises(InputError, match=says) as error:
        read_joints(tmp_path / "joints.json")
    assert str(error.value).startswith(f"{tmp_path}/joints.json: ")
    assert "\n" not in str(error.value)


def names_by_split(folder):
    return {split: {r.name for r in folder.listing(split, maskdata=False).records} for split in SPLITS}


def test_a_folder_is_split_without_loss_or_overlap(tmp_path):
    every = {f"{number}.png" for number in range(30)} | {f"deep/er/{number}.jpg" for number in range(10)}
    touch(tmp_path, *every)
    parts = names_by_split(Folder(str(tmp_path), (0.5, 0.25, 0.25)))
    assert set.union(*parts.values()) == every
    assert sum(map(len, parts.values())) == len(every)


def test_the_same_file_name_in_two_folders_stays_two_images(tmp_path):
    touch(tmp_path, "one/a.png", "two/a.png")
    listing = Folder(str(tmp_path), (1, 0, 0)).listing("train", maskdata=False)
    assert [(r.name, r.original) for r in listing.records] == [
        ("one/a.png", tmp_path / "one" / "a.png"),
        ("two/a.png", tmp_path / "two" / "a.png"),
    ]


def test_adding_files_moves_no_existing_file(tmp_path):
    touch(tmp_path, *(f"{number}.png" for number in range(20)))
    before = names_by_split(Folder(str(tmp_path), (0.4, 0.3, 0.3)))
    touch(tmp_path, *(f"new{number}.png" for number in range(20)))
    after = names_by_split(Folder(str(tmp_path), (0.4, 0.3, 0.3)))
    assert all(before[split] <= after[split] for split in SPLITS)


@given(st.text(max_size=20))
def test_the_split_of_a_name_does_not_depend_on_the_folder(tmp_path_factory, name):
    one, other = (Folder(str(tmp_path_factory.getbasetemp())) for _ in range(2))
    assert one.split_of(name) == other.split_of(name)


def test_the_split_of_a_name_is_stable_across_versions(tmp_path):  # unlike Python's hash
    folder = Folder(str(tmp_path), (0.5, 0.25, 0.25))
    splits = " ".join(folder.split_of(f"{number}.png") for number in range(12))
    assert splits == "train val train test val test train train train test train train"


def test_growing_the_training_fraction_removes_nothing_from_it(tmp_path):
    small, large = Folder(str(tmp_path), (0.5, 0.25, 0.25)), Folder(str(tmp_path), (0.7, 0.15, 0.15))
    assert all(large.split_of(n) == "train" for n in map(str, range(300)) if small.split_of(n) == "train")


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.5, 0.3, 0.2), (0.9, 0.1, 0.0)])
def test_fractions_are_respected(tmp_path, fractions):
    folder = Folder(str(tmp_path), fractions)
    splits = [folder.split_of(f"{number:05}.png") for number in range(1000)]
    for split, fraction in zip(SPLITS, fractions, strict=True):
        assert abs(splits.count(split) / 1000 - fraction) < 0.05
        assert folder.has(split) == (fraction > 0)
        assert fraction > 0 or split not in splits


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.2), (0.5, 0.3), (1.2, -0.1, -0.1), (0.25, 0.25, 0.25, 0.25)])
def test_fractions_that_do_not_sum_to_1_are_rejected(tmp_path, fractions):
    with pytest.raises(InputError, match=r"data\.source\.fractions=\[.*sum to 1") as error:
        Folder(str(tmp_path), fractions)
    assert str(list(fractions)) in str(error.value)


def test_an_empty_split_of_a_folder_is_reported(tmp_path):
    touch(tmp_path, "a.png")
    listing = Folder(str(tmp_path), (1, 0, 0)).listing("val", maskdata=False)
    assert listing.problems == [f"{tmp_path}: empty split 'val': 1 images in all; add some"]


@pytest.mark.parametrize("file", [None, "elsewhere.json"])
def test_a_folders_blocks_come_from_its_maskdata_or_the_file_named(tmp_path, file):
    touch(tmp_path / "root", "a.png", "sub/b.png")
    path = tmp_path / file if file else tmp_path / "root" / "maskdata.json"
    path.write_text(json.dumps(blocks("a.png", "sub/b.png")))
    folder = Folder(str(tmp_path / "root"), (1, 0, 0), maskdata=file and str(path))
    listing = folder.listing("train", maskdata=True)
    assert listing.problems == []
    assert [record.blocks for record in listing.records] == [(Block(0, 1, 2),)] * 2
    assert path in folder.paths


def test_a_folders_maskdata_covers_all_splits(tmp_path):
    every = [f"{number}.png" for number in range(20)]
    touch(tmp_path, *every)
    write(tmp_path, maskdata=blocks(*every[1:], "gone.png"))
    listed = [Folder(str(tmp_path), (0.5, 0.5, 0)).listing(split, maskdata=True).problems for split in ("train", "val")]
    assert all(f"{tmp_path}/maskdata.json: lists gone.png" in lines[0] for lines in listed)
    assert sum("0.png is not listed" in line for lines in listed for line in lines) == 1
    assert sum(map(len, listed)) == 3


def test_further_folders_add_to_the_train_split_alone(tmp_path):
    from conftest import write_split

    for split in ("train", "val"):
        write_split(tmp_path / "main" / split, 2)
        write_split(tmp_path / "more" / split, 3)
    for path in (tmp_path / "more").rglob("*.png"):
        path.rename(path.with_name(f"more{path.name}"))
    source = Chalearn(str(tmp_path / "main"), [str(tmp_path / "more")])
    listing = source.listing("train", maskdata=False)
    assert [record.name for record in listing.records] == ["000.png", "001.png", *(f"more00{k}.png" for k in range(3))]
    assert [record.name for record in source.listing("val", maskdata=False).records] == ["000.png", "001.png"]
    assert source.paths == (tmp_path / "main", tmp_path / "more")


def test_a_name_in_two_folders_is_reported(tmp_path):
    from conftest import write_split

    for folder in ("main", "more"):
        write_split(tmp_path / folder / "train", 2)
    listing = Chalearn(str(tmp_path / "main"), [str(tmp_path / "more")]).listing("train", maskdata=False)
    assert len(listing.problems) == 2
    assert "000.png is in" in listing.problems[0]
    with pytest.raises(InputError, match=r"data.source.extra=.*no such folder"):
        Chalearn(str(tmp_path / "main"), [str(tmp_path / "nowhere")])
