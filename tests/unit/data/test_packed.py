"""Decoded images in one file: the same pixels as from the files, each of which is decoded once."""

import errno
import gc
import os
import pickle
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch.multiprocessing.reductions import shared_cache

from pose_inpaint.data import datamodule, dataset, packed
from pose_inpaint.data.augmentation import Standard
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.dataset import ImageDataset
from pose_inpaint.data.masks import MaskData, Squares
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.errors import InputError

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no time of change")


@pytest.fixture
def decoded(monkeypatch, tmp_path):
    """Counts the files that are decoded in this process, with an empty cache."""
    counts = Counter()
    whole = dataset.read_image

    def count(path):
        counts[path.parent.parent.name] += 1  # the split
        return whole(path)

    monkeypatch.setattr(dataset, "read_image", count)
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path / "cache"))
    return counts


def data(root, *, is_packed=True, masks=None, size=16, workers=0, **more):
    return InpaintingData(Chalearn(str(root)), masks or Squares(1), size, 4, workers, 1, packed=is_packed, **more)


def epochs(module, count):
    """All batches of some epochs of training, each with its validation."""
    train, val = module.train_dataloader(), module.val_dataloader()
    batches = []
    for epoch in range(count):
        train.sampler.set_epoch(epoch)
        batches += [*train, *val]
    return batches


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.names == other.names
        for name in ("target", "mask"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0, equal_nan=True)


def files(tmp_path):
    """Everything in the cache's folder of decoded images, but for locks."""
    return sorted(path for path in (tmp_path / "cache" / "packed").glob("*") if path.suffix != ".lock")


def test_each_file_is_decoded_once_for_all_epochs_and_runs(tiny_data, decoded):
    epochs(data(tiny_data, is_packed=False), 3)
    assert decoded == {"train": 3 * 12, "val": 3 * 4}
    decoded.clear()
    epochs(data(tiny_data), 3)
    assert decoded == {"train": 12, "val": 4}
    epochs(data(tiny_data), 2)
    assert decoded == {"train": 12, "val": 4}


@pytest.mark.parametrize(("ranks", "limit"), [(1, None), (1, 7), (2, None), (2, 9), (3, None)])
def test_batches_are_counted_as_the_loaders_have_them_without_decoding(tiny_data, decoded, tmp_path, ranks, limit):
    module = data(tiny_data, limit=limit)
    module.trainer = SimpleNamespace(world_size=ranks, global_rank=ranks - 1)
    counted = [module.count_batches(split) for split in ("train", "val")]
    assert (decoded, files(tmp_path)) == ({}, [])
    assert counted == [len(module.train_dataloader()), len(module.val_dataloader())]


@pytest.mark.parametrize(
    "more",
    [
        {"resizing": "opencv"}, {"size": 48}, {"masks": MaskData()}, {"limit": 5},
        {"augmentation": Standard(3, crop=0.5, brightness=0.2), "workers": 2},
    ],
)  # fmt: skip
def test_packed_images_are_those_of_the_files_bit_for_bit(tiny_data, decoded, more):
    ours, theirs = (data(tiny_data, is_packed=each, **more) for each in (True, False))
    assert_same(epochs(ours, 2), epochs(theirs, 2))


def test_masked_images_and_blind_ones_are_packed_as_they_are_read(tiny_data, decoded):
    for split in ("train", "val"):
        (tiny_data / split / "X").mkdir()
        for path in (tiny_data / split / "Y").iterdir():
            Image.new("RGB", (40, 48), (9, 99, 199)).save(tiny_data / split / "X" / path.name)
    source = Chalearn(str(tiny_data))
    both = source.listing("train", maskdata=True).records
    blind = [replace(each, original=None) for each in source.listing("val", maskdata=True).records]
    for records in (both, blind):
        images = ImageDataset(records, MaskData(), 16)
        expected = [images[i] for i in range(len(images))]
        images.pack("train")
        assert images.packed is not None
        assert_same([images[i] for i in range(len(images))], expected)
    assert images[0].target.isnan().any()
    fewer = [replace(each, blocks=each.blocks[1:]) for each in both]  # the original's pixels are used inside them
    assert len({packed.find_key(each, 16, "antialias") for each in (both, blind, fewer)}) == 3


def changed(image, how):
    """Change an image file, and return whether its size and time of modification show it."""
    before = image.stat()
    if how == "time alone":
        os.utime(image, ns=(0, 0))
        return
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    time.sleep(0.02)  # file systems count time in ticks of a few milliseconds
    image.write_bytes(content)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("how", ["time alone", pytest.param("content alone", marks=POSIX)])
def test_a_changed_file_has_another_key(tiny_data, how):
    records = data(tiny_data).records("train")
    before = packed.find_key(records, 16, "antialias")
    assert packed.find_key(records, 16, "antialias") == before
    assert packed.find_key(records, 17, "antialias") != before
    assert packed.find_key(records, 16, "opencv") != before
    assert packed.find_key(records[1:], 16, "antialias") != before
    changed(records[5].original, how)
    assert packed.find_key(records, 16, "antialias") != before


@pytest.mark.parametrize("fault", ["cut short", "empty", "of another size", "of other images", "one bit", "longer"])
def test_a_damaged_file_is_built_again_with_a_line(tiny_data, decoded, tmp_path, capfd, fault):
    expected = epochs(data(tiny_data), 1)
    (path,) = (each for each in files(tmp_path) if each.stat().st_size > 6 * (3 * 16 * 16 + 8))
    content = bytearray(path.read_bytes())
    if fault == "of another size":
        data(tiny_data, size=17).train_dataloader()
        content = max((each for each in files(tmp_path)), key=lambda each: each.stat().st_size).read_bytes()
    elif fault == "of other images":
        data(tiny_data, resizing="opencv").train_dataloader()
        content = next(e for e in files(tmp_path) if e.stat().st_size == len(content) and e != path).read_bytes()
    elif fault == "one bit":
        content[1000] ^= 4
    path.write_bytes({"cut short": content[:-100], "empty": b"", "longer": content + b"0"}.get(fault, content))
    decoded.clear()
    capfd.readouterr()
    assert_same(epochs(data(tiny_data), 1), expected)
    assert decoded == {"train": 12}
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"warning: {path}: damaged (another ")
    assert said.endswith("decoding the images of train again\n")
    epochs(data(tiny_data), 1)
    assert decoded == {"train": 12}
    assert capfd.readouterr().err == ""


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("fault", ["no room", "full meanwhile", "no folder"])
def test_without_room_images_are_read_from_their_files_and_a_line_says_so(
    tiny_data, decoded, tmp_path, monkeypatch, capfd, fault
):
    expected = epochs(data(tiny_data, is_packed=False), 2)
    decoded.clear()
    if fault == "no room":  # 12 images of 16x16 pixels and two numbers each, and the checksum
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * 12 * (3 * 16 * 16 + 8) + 7))
    elif fault == "full meanwhile":
        monkeypatch.setattr(packed, "_build", full)
    else:
        (tmp_path / "cache").write_text("")
    module = data(tiny_data, limit=None)
    module.train_dataloader()
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "train is read from its files in each epoch (free space, set POSE_INPAINT_CACHE=DIR, or data." in said
    if fault == "no room":
        assert f"{tmp_path / 'cache' / 'packed'}: 9.32e-06 GB for decoded images is over half of the 1.86e-05" in said
    assert_same(epochs(module, 2), expected)
    assert decoded["train"] == 2 * 12
    assert "train" not in capfd.readouterr().err  # tried and said once
    if fault == "no room":
        assert len(files(tmp_path)) == 1  # validation's: just enough room


def test_a_damaged_image_is_named_and_nothing_is_kept(tiny_data, decoded, tmp_path):
    path = tiny_data / "train" / "Y" / "007.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"007\.png: damaged or truncated"):
        data(tiny_data).train_dataloader()
    assert files(tmp_path) == []


def test_a_missing_image_is_named_when_it_is_read(tiny_data, decoded, tmp_path):
    module = data(tiny_data)
    module.images("train")
    (tiny_data / "train" / "Y" / "007.png").unlink()
    with pytest.raises(InputError, match=r"007\.png: no such file"):
        list(module.train_dataloader())


def test_of_two_that_build_at_once_one_decodes(tiny_data, decoded, tmp_path):
    modules = [data(tiny_data) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(InpaintingData.train_dataloader, modules))
    assert decoded == {"train": 12}
    assert len(files(tmp_path)) == 1
    assert all(module.images("train").packed is not None for module in modules)


def test_what_is_left_over_and_long_unused_is_removed(tiny_data, decoded, tmp_path):
    data(tiny_data, size=17).train_dataloader()
    data(tiny_data, size=18).train_dataloader()
    data(tiny_data, size=19).train_dataloader()
    by_size = {each.stat().st_size: each for each in files(tmp_path)}
    old, opened, recent = (by_size[size] for size in sorted(by_size))
    for path in (old, opened):
        os.utime(path, (0, 0))
    data(tiny_data, size=18).train_dataloader()  # marks it as used
    left = recent.with_name(f".{recent.name}.1234.part")
    left.write_bytes(b"of a killed process")
    recent.unlink()
    data(tiny_data, size=19).train_dataloader()
    assert files(tmp_path) == sorted([opened, recent])


def test_reading_processes_get_the_path_and_not_the_pixels(tiny_data, decoded):
    images = data(tiny_data, size=48)._fast_images("train")
    sent = pickle.dumps(images.packed)
    assert len(sent) < 1000
    (pixels, shapes), (expected, _) = (each.read([3, 1]) for each in (pickle.loads(sent), images.packed))
    assert torch.equal(pixels, expected)
    assert shapes == [(48, 40)] * 2


def test_calibration_reads_packed_images_without_processes(tiny_data, decoded):
    module = data(tiny_data, workers=2)
    assert module.calibration_dataloader(2).num_workers == 2
    expected = list(data(tiny_data).calibration_dataloader(2))
    module.train_dataloader()
    assert module.calibration_dataloader(2).num_workers == 0
    assert_same(list(module.calibration_dataloader(2)), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc, and forks what it has patched")
@pytest.mark.parametrize("is_packed", [True, False])
def test_reading_processes_stay_over_epochs_with_flat_memory(tiny_data, decoded, monkeypatch, is_packed, request):
    plain = data(tiny_data, is_packed=is_packed)
    expected = epochs(plain, 10)

    def count_objects():
        shared_cache.free_dead_references()  # of tensors that were sent, which PyTorch does after every 128
        gc.collect()
        return len(gc.get_objects())

    def report(batches):
        batch = dataset.collate(batches)
        return replace(batch, names=tuple(f"{name} {os.getpid()} {count_objects()}" for name in batch.names))

    monkeypatch.setattr(datamodule, "collate", report)
    module = data(tiny_data, is_packed=is_packed, workers=2)
    train, val = module.train_dataloader(), module.val_dataloader()
    ours, theirs = [], {}
    gc.collect()
    gc.freeze()  # counts what is made from now on, which is also quicker
    request.addfinalizer(gc.unfreeze)
    for epoch in range(10):
        train.sampler.set_epoch(epoch)
        for i, batch in enumerate([*train, *val]):
            names, pids, counts = zip(*(name.split() for name in batch.names), strict=True)
            assert_same([replace(batch, names=names)], [expected[4 * epoch + i]])
            theirs.setdefault(pids[0], {})[epoch] = int(counts[-1])
        del batch
        ours.append((count_objects(), len(list(Path("/proc/self/fd").iterdir()))))
    assert len(theirs) == 3  # two for training; validation has but one batch
    for ended in theirs.values():  # what is being sent at the moment may count or not
        assert set(ended) == set(range(10))
        assert ended[9] < ended[2] + 7 * 4  # one for each image that it has read since
    assert ours[9] <= ours[2]
