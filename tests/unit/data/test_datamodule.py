import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import write_split
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.dataset import ImageDataset, collate, read_record
from pose_inpaint.data.images import to_bytes
from pose_inpaint.data.maskdata import Block
from pose_inpaint.data.masks import MaskData, Squares
from pose_inpaint.data.records import Record
from pose_inpaint.data.samplers import EpochSampler, PartSampler
from pose_inpaint.data.sources import Chalearn, Folder
from pose_inpaint.errors import InputError
from pose_inpaint.types import EMPTY

ORIGINAL, MASKED = (200, 100, 50), (10, 20, 30)


@pytest.fixture
def files(tmp_path):
    """An original of 4 rows and 8 columns in one colour, and a masked image in another."""
    for name, colour in (("Y.png", ORIGINAL), ("X.png", MASKED)):
        Image.new("RGB", (8, 4), colour).save(tmp_path / name)
    return tmp_path / "Y.png", tmp_path / "X.png"


def colours(batch):
    return to_bytes(batch.target[0].nan_to_num(EMPTY)).permute(1, 2, 0)


def test_the_original_counts_inside_holes_and_the_masked_image_outside(files):
    blocks = (Block(0, 0, 4),)
    Image.new("RGB", (4, 4), ORIGINAL).save(files[0])
    Image.new("RGB", (4, 4), MASKED).save(files[1])
    batch = read_record(Record("a", *files, blocks=(blocks[0]._replace(size=2),)), MaskData(), 4)
    hole = torch.zeros(4, 4, dtype=torch.bool)
    hole[:2, :2] = True
    assert torch.equal(batch.mask[0, 0].bool(), hole)
    assert set(map(tuple, colours(batch)[hole].tolist())) == {ORIGINAL}
    assert set(map(tuple, colours(batch)[~hole].tolist())) == {MASKED}


def test_black_blocks_of_the_masked_image_are_filled_with_any_masks(files):
    record = Record("a", *files, blocks=(Block(0, 4, 4),))
    batch = read_record(record, Squares(1), 8, epoch=0)
    assert tuple(colours(batch)[0, 7].tolist()) == ORIGINAL
    assert tuple(colours(batch)[0, 0].tolist()) == MASKED


def test_an_original_alone_is_the_target(files):
    batch = read_record(Record("a", files[0], blocks=(Block(0, 0, 2),)), MaskData(), 4)
    assert set(map(tuple, colours(batch).flatten(0, 1).tolist())) == {ORIGINAL}
    assert batch.names == ("a",)


def test_a_blind_target_is_nan_only_in_the_holes(files):
    batch = read_record(Record("a", None, files[1], blocks=(Block(1, 2, 3),)), MaskData(), 6)
    assert 0 < batch.mask.sum() < 36
    assert torch.equal(batch.target.isnan(), batch.mask.bool().expand(-1, 3, -1, -1))


@pytest.mark.parametrize("blind", [False, True])
def test_known_is_empty_in_the_holes(files, blind):
    record = Record("a", None if blind else files[0], files[1], blocks=(Block(1, 2, 3),))
    batch = read_record(record, MaskData(), 6)
    hole = batch.mask.bool().expand(-1, 3, -1, -1)
    assert (batch.known[hole] == EMPTY).all()
    assert torch.equal(batch.known[~hole], batch.target[~hole])


def test_images_of_another_size_are_resized_with_their_joints(files):
    record = Record("a", files[0], blocks=(Block(0, 0, 1),), joints=((8, 4, 1), (2, 1, 0)))
    batch = read_record(record, MaskData(), 16)
    assert batch.target.shape == (1, 3, 16, 16)
    assert batch.mask.shape == (1, 1, 16, 16)
    assert batch.pose.tolist() == [[[16, 16, 1], [4, 4, 0]]]


def test_joints_are_unchanged_at_the_images_own_size(files):
    Image.new("RGB", (8, 8)).save(files[0])
    record = Record("a", files[0], blocks=(Block(0, 0, 1),), joints=((3, 5, 1),))
    assert read_record(record, MaskData(), 8).pose.tolist() == [[[3, 5, 1]]]


def test_pairs_of_different_sizes_are_reported_with_both_sizes(files):
    Image.new("RGB", (9, 4)).save(files[1])
    with pytest.raises(InputError, match=r"X\.png: 4x9 pixels, but its original .*Y\.png has 4x8; make them the same"):
        read_record(Record("a", *files, blocks=(Block(0, 0, 1),)), MaskData(), 4)


def test_a_record_without_files_is_rejected():
    with pytest.raises(InputError, match="a: neither original nor masked"):
        read_record(Record("a", None), MaskData(), 4)


def test_images_are_resized_as_asked(tmp_path):
    cv2 = pytest.importorskip("cv2")
    folder = tmp_path / "test"
    (folder / "Y").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "Y" / "a.png")
    (folder / "maskdata.json").write_text('{"a.png": [[2, 3, 9]]}')
    loaded = {
        way: InpaintingData(Chalearn(str(tmp_path)), MaskData(), 16, 1, 0, 0, resizing=way)
        for way in ("antialias", "opencv")
    }
    expected = torch.from_numpy(cv2.resize(pixels, (16, 16))).permute(2, 0, 1).float() / 127.5 - 1
    errors = {
        way: (next(iter(data.test_dataloader())).target[0] - expected).abs().max() for way, data in loaded.items()
    }
    assert errors["opencv"] < 1.01 / 127.5
    assert errors["antialias"] > 0.1
    digests = [data.inspect("test")[0].digest for data in loaded.values()]
    assert digests[0] != digests[1]  # a report refuses to compare their scores


def test_collating_keeps_order_and_drops_poses_unless_all_have_them(files):
    plain = read_record(Record("plain", files[0], blocks=(Block(0, 0, 1),)), MaskData(), 4)
    posed = read_record(Record("posed", files[0], blocks=(Block(0, 0, 2),), joints=((1, 2, 1),)), MaskData(), 4)
    both = collate([plain, posed])
    assert both.names == ("plain", "posed")
    assert both.target.shape == (2, 3, 4, 4)
    assert both.mask[0].sum() < both.mask[1].sum()
    assert both.pose is None
    assert collate([posed, posed]).pose.shape == (2, 1, 3)


def data(root, masks=None, batch_size=4, workers=0, seed=1, limit=None, size=16):
    return InpaintingData(Chalearn(str(root)), masks or Squares(1), size, batch_size, workers, seed, limit)


def order(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [name for batch in loader for name in batch.names]


@pytest.mark.parametrize("count", [12, 13])
@pytest.mark.parametrize("epoch", [0, 5])
def test_two_ranks_divide_the_training_images(count, epoch):
    parts = []
    for rank in range(2):
        sampler = EpochSampler(range(count), 2, rank, seed=3)
        sampler.set_epoch(epoch)
        parts.append(list(sampler))
    assert {number for part in parts for number, _ in part} == {epoch}
    indices = [index for part in parts for _, index in part]
    assert len(set(indices)) == len(indices) == count - count % 2  # no image twice; the remainder is left out
    assert len(parts[0]) == len(parts[1])
    alone = list(EpochSampler(range(count), 1, 0, 3, (epoch, 0)))
    for batch in range(count // 4):  # two ranks with two images each see the same batch as one rank with four
        together = {*parts[0][2 * batch : 2 * batch + 2], *parts[1][2 * batch : 2 * batch + 2]}
        assert together == set(alone[4 * batch : 4 * batch + 4])


@given(st.integers(1, 40), st.integers(1, 6))
def test_ranks_validate_each_image_once(count, ranks):
    parts = [list(PartSampler(range(count), ranks, rank)) for rank in range(ranks)]
    assert sorted(index for part in parts for index in part) == list(range(count))
    assert [len(PartSampler(range(count), ranks, rank)) for rank in range(ranks)] == [len(part) for part in parts]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 3), st.integers(0, 3))
def test_a_resumed_order_is_the_rest_of_the_full_order(count, seen, epoch, other):
    whole, rest = EpochSampler(range(count), 1, 0, 3), EpochSampler(range(count), 1, 0, 3, (epoch, seen))
    whole.set_epoch(epoch)
    assert list(rest) == list(whole)[seen:]
    assert len(rest) == len(whole)  # the length of the epoch doesn't change
    for sampler in (whole, rest):
        sampler.set_epoch(epoch + 1 + other)
    assert list(rest) == list(whole)


def test_validation_images_are_divided_without_padding(tiny_data):
    names = []
    for rank in range(3):
        module = data(tiny_data, batch_size=2)
        module.trainer = SimpleNamespace(world_size=3, global_rank=rank)
        names += [name for batch in module.val_dataloader() for name in batch.names]
    assert sorted(names) == [f"{number:03}.png" for number in range(4)]


def test_fewer_validation_images_than_ranks_are_rejected(tiny_data):
    module = data(tiny_data)
    module.trainer = SimpleNamespace(world_size=5, global_rank=0)
    with pytest.raises(InputError, match="5 devices, but only 4 validation images"):
        module.val_dataloader()


def test_the_data_module_takes_its_rank_from_the_trainer(tiny_data):
    names = []
    for rank in range(2):
        module = data(tiny_data, batch_size=3)
        module.trainer = SimpleNamespace(world_size=2, global_rank=rank)
        names += order(module.train_dataloader(), epoch=1)
    assert sorted(names) == [f"{number:03}.png" for number in range(12)]


def test_training_order_depends_on_seed_and_epoch_only(tiny_data):
    first = order(data(tiny_data).train_dataloader(), 3)
    torch.rand(5)
    assert order(data(tiny_data).train_dataloader(), 3) == first
    assert order(data(tiny_data).train_dataloader(), 4) != first
    assert order(data(tiny_data, seed=2).train_dataloader(), 3) != first
    assert sorted(order(data(tiny_data).train_dataloader(), 4)) == sorted(first)


def test_loading_draws_nothing_from_the_global_generator(tiny_data):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    order(data(tiny_data).train_dataloader(), 0)
    list(data(tiny_data).val_dataloader())
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_epoch_reaches_the_masks(tiny_data, workers):
    module = data(tiny_data, workers=workers)
    loader = module.train_dataloader()
    records = {record.name: record for record in module.images("train").records}
    for epoch in (2, 3):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            for name, mask in zip(batch.names, batch.mask, strict=True):
                assert torch.equal(mask[0].bool(), Squares(1).mask(records[name], (48, 40), 16, epoch))


def test_validation_is_sorted_by_name_with_fixed_masks(tiny_data):
    module = data(tiny_data, batch_size=3)
    batches = list(module.val_dataloader())
    assert [name for batch in batches for name in batch.names] == ["000.png", "001.png", "002.png", "003.png"]
    assert all(torch.equal(a.mask, b.mask) for a, b in zip(batches, module.val_dataloader(), strict=True))
    assert batches[0].target.shape == (3, 3, 16, 16)


def test_adding_images_changes_no_other_image_of_validation(tiny_data):
    before = collate([data(tiny_data).images("val")[index] for index in range(4)])
    Image.new("RGB", (40, 48)).save(tiny_data / "val" / "Y" / "00.png")  # the first by name
    images = data(tiny_data).images("val")
    after = collate([images[index] for index in range(1, 5)])
    assert after.names == before.names
    assert torch.equal(after.mask, before.mask)


def test_test_images_come_from_the_test_split(tiny_data):
    (batch,) = data(tiny_data).test_dataloader()
    records = Chalearn(str(tiny_data)).listing("test", maskdata=False).records
    expected = collate([ImageDataset(records, Squares(1), 16)[i] for i in range(4)])
    assert torch.equal(batch.target, expected.target)


def test_training_drops_an_incomplete_batch(tiny_data):
    assert [len(batch.names) for batch in data(tiny_data, batch_size=5).train_dataloader()] == [5, 5]


def test_calibration_sees_the_same_images_and_masks_each_time(tiny_data):
    module = data(tiny_data)
    first, second = (list(module.calibration_dataloader(2)) for _ in range(2))
    assert [batch.names for batch in first] == [batch.names for batch in second]
    assert all(torch.equal(a.target, b.target) and torch.equal(a.mask, b.mask)
               for a, b in zip(first, second, strict=True))  # fmt: skip


def test_calibration_is_spread_over_the_split_in_full_batches(tiny_data):
    names = [name for batch in data(tiny_data).calibration_dataloader(2) for name in batch.names]
    assert len(set(names)) == 8
    assert (names[0], names[-1]) == ("000.png", "011.png")
    assert [len(batch.names) for batch in data(tiny_data, batch_size=5).calibration_dataloader(50)] == [5, 5]


@pytest.mark.parametrize("kind", [Chalearn, Folder])
def test_training_needs_no_maskdata_if_only_evaluation_uses_it(tiny_data, kind):
    if kind is Chalearn:
        (tiny_data / "train" / "maskdata.json").unlink()
        source = Chalearn(str(tiny_data))
    else:
        source = Folder(str(tiny_data / "train" / "Y"), (1, 0, 0))
    module = InpaintingData(source, Squares(1, evaluate_on="maskdata"), 16, 4, 0, 1)
    assert module.inspect("train")[0].images == 12
    assert len(list(module.calibration_dataloader(1))) == 1


def test_limit_takes_the_first_images_by_name(tiny_data):
    module = data(tiny_data, limit=3, batch_size=2)
    assert sorted(record.name for record in module.images("train").records) == ["000.png", "001.png", "002.png"]
    assert [len(batch.names) for batch in module.val_dataloader()] == [2, 1]


@pytest.mark.parametrize(("batch_size", "limit", "count"), [(13, None, 12), (4, 3, 3)])
def test_a_batch_larger_than_the_split_is_rejected(tiny_data, batch_size, limit, count):
    with pytest.raises(InputError, match=rf"data\.batch_size={batch_size}: only {count} training images;"):
        data(tiny_data, batch_size=batch_size, limit=limit).train_dataloader()


def test_a_batch_larger_than_a_ranks_part_is_rejected(tiny_data):
    module = data(tiny_data, batch_size=7)
    module.trainer = SimpleNamespace(world_size=2, global_rank=0)
    with pytest.raises(InputError, match="only 6 training images for each of 2 devices"):
        module.train_dataloader()


def test_invalid_lists_are_rejected(tiny_data):
    (tiny_data / "val" / "maskdata.json").write_text(json.dumps({"000.png": [[0, 0, 1]]}))
    with pytest.raises(InputError, match=r"001\.png is not listed"):
        data(tiny_data, MaskData()).val_dataloader()


def test_halves_share_the_training_images_and_nothing_else(tmp_path):
    for split in ("train", "val"):
        write_split(tmp_path / split, 40)
    halves = {
        half: InpaintingData(Chalearn(str(tmp_path)), MaskData(), 32, 2, 0, 0, half=half) for half in ("A", "B", None)
    }
    names = {half: {record.name for record in data.images("train").records} for half, data in halves.items()}
    assert names["A"] | names["B"] == names[None]
    assert not names["A"] & names["B"]
    assert 10 <= len(names["A"]) <= 30
    assert all(len(data.images("val")) == 40 for data in halves.values())


def test_a_batch_may_be_as_large_as_the_training_split_but_no_larger(tmp_path):
    write_split(tmp_path / "train", 5)
    InpaintingData(Chalearn(str(tmp_path)), MaskData(), 32, 5, 0, 0).check_batch_size()
    with pytest.raises(InputError, match=r"data\.batch_size=6: only 5 training images; reduce the batch size"):
        InpaintingData(Chalearn(str(tmp_path)), MaskData(), 32, 6, 0, 0).check_batch_size()
