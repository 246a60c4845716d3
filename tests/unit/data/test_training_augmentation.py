"""Augmentation: image, mask and joints stay together, and draws depend on seed, name and epoch alone."""

import pytest
import torch
from conftest import write_split

from pose_inpaint.data.augmentation import Standard
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.data.joints import JOINTS
from pose_inpaint.data.masks import MaskData
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.errors import InputError
from pose_inpaint.types import Batch


def marked(size=24):
    """An image whose joints lie on pixels of a value of their own, and a mask that isn't symmetric."""
    torch.manual_seed(0)
    target = torch.rand(1, 3, size, size) * 0.2
    mask = torch.zeros(1, 1, size, size)
    mask[..., 2:9, 3:5] = 1
    pose = torch.zeros(1, len(JOINTS), 3)
    for index in range(len(JOINTS)):
        row, column = 1 + (index * 5) % (size - 2), 1 + (index * 7) % (size - 2)
        target[0, :, row, column] = 0.3 + index / 20
        pose[0, index] = torch.tensor([column, row, 1.0])
    return Batch(target, mask, ("a.png",), pose)


def value_at(batch, joint):
    x, y, _ = batch.pose[0, JOINTS.index(joint)]
    return batch.target[0, 0, int(y), int(x)].item()


def test_a_mirrored_image_swaps_right_and_left():
    before = marked()
    after = Standard(0, mirrored=1.0)(before, 0)
    assert torch.equal(after.target, before.target.flip(-1))
    assert torch.equal(after.mask, before.mask.flip(-1))
    for joint in JOINTS:
        other = joint.replace("left", "?").replace("right", "left").replace("?", "right")
        assert value_at(after, joint) == value_at(before, other), joint
    assert torch.equal(Standard(0, mirrored=1.0)(after, 0).pose, before.pose)


def test_without_joints_there_are_none():
    bare = Batch(torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16), ("a",))
    assert Standard(0, crop=0.5, mirrored=1)(bare, 0).pose is None


def test_joints_follow_a_crop_and_those_outside_become_invisible():
    size, row, column = 40, 21, 9
    target = torch.zeros(1, 3, size, size)
    target[..., row - 1 : row + 2, column - 1 : column + 2] = 1
    pose = torch.zeros(1, 14, 3)
    pose[0, 0] = torch.tensor([column, row, 1.0])
    before = Batch(target, torch.zeros(1, 1, size, size), ("a.png",), pose)
    visible = 0
    for epoch in range(30):
        after = Standard(1, mirrored=0.5, crop=0.5)(before, epoch)
        joint = 5 if after.pose[0, 5, :2].abs().sum() and not after.pose[0, 0, 2] else 0  # the other ankle if mirrored
        x, y, seen = after.pose[0, joint].tolist()
        assert bool(seen) == (-0.5 <= x < size - 0.5 and -0.5 <= y < size - 0.5)
        bright = after.target[0, 0] > 0.9
        if seen and bright.any():
            rows, columns = torch.nonzero(bright, as_tuple=True)
            assert rows.float().mean().item() == pytest.approx(y, abs=1)
            assert columns.float().mean().item() == pytest.approx(x, abs=1)
            visible += 1
    assert visible > 5


def test_brightness_and_contrast_keep_the_range_and_the_mask():
    before = marked()
    after = Standard(3, mirrored=0, brightness=0.2, contrast=0.5)(before, 0)
    assert not torch.equal(after.target, before.target)
    assert after.target.abs().max() <= 1
    assert torch.equal(after.mask, before.mask)
    gain = after.target.std() / before.target.std()
    assert 0.5 <= gain <= 1.5


def test_draws_depend_on_seed_name_and_epoch():
    def mirrored(seed, name, epoch):
        batch = Batch(torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4) / 16, torch.zeros(1, 1, 4, 4), (name,))
        return not torch.equal(Standard(seed)(batch, epoch).target, batch.target)

    draws = [mirrored(seed, f"{name}.png", epoch) for seed in range(5) for name in range(5) for epoch in range(40)]
    assert draws == [mirrored(s, f"{n}.png", e) for s in range(5) for n in range(5) for e in range(40)]
    assert 0.45 < sum(draws) / len(draws) < 0.55
    first = draws[:40]
    assert all(first != draws[k : k + 40] for k in range(40, len(draws), 40))


def test_only_training_images_are_changed(tmp_path):
    for split in ("train", "val", "test"):
        write_split(tmp_path / split, 3)
    data = InpaintingData(Chalearn(str(tmp_path)), MaskData(), 32, 1, 0, 0, augmentation=Standard(0, mirrored=1))
    for split in ("train", "val", "test"):
        images = data.images(split)
        assert torch.equal(images[(4, 0)].target, images[0].target.flip(-1))  # (epoch, index): training's key
    assert torch.equal(next(iter(data.val_dataloader())).target, data.images("val")[0].target)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"mirrored": 1.1}, "augment.mirrored=1.1: must be in"),
        ({"crop": 0}, "augment.crop=0: must be in"),
        ({"brightness": -0.1}, "augment.brightness=-0.1: must be in"),
        ({"contrast": 2}, "augment.contrast=2: must be in"),
    ],
)
def test_bad_arguments_are_refused(setting, text):
    with pytest.raises(InputError, match=text):
        Standard(0, **setting)
