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
        pose[0, index] = torch.tensor([column + 0.5, row + 0.5, 1.0])  # in the middle of the pixel
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
    pose[0, 0] = torch.tensor([column + 0.5, row + 0.5, 1.0])
    before = Batch(target, torch.zeros(1, 1, size, size), ("a.png",), pose)
    visible = 0
    for epoch in range(30):
        after = Standard(1, mirrored=0.5, crop=0.5)(before, epoch)
        joint = 5 if after.pose[0, 5, :2].abs().sum() and not after.pose[0, 0, 2] else 0  # the other ankle if mirrored
        x, y, seen = after.pose[0, joint].tolist()
        assert bool(seen) == (0 <= x < size and 0 <= y < size)
        bright = after.target[0, 0] > 0.9
        if seen and bright.any():
            rows, columns = torch.nonzero(bright, as_tuple=True)
            places = torch.cat([rows, columns])
            whole = places.min() > 0 and places.max() < size - 1
            near = 0.5 if whole else 2  # the spot may be cut off
            assert rows.float().mean().item() + 0.5 == pytest.approx(y, abs=near)
            assert columns.float().mean().item() + 0.5 == pytest.approx(x, abs=near)
            visible += 1
    assert visible > 5


def test_brightness_and_contrast_keep_the_range_and_the_mask():
    before = marked()
    after = Standard(3, mirrored=0, brightness=0.2, contrast=0.5)(before, 0)
    assert not torch.equal(after.target, before.target)
    assert after.target.abs().max() <= 1
    assert torch.equal(after.mask, before.mask)


def test_brightness_and_contrast_vary_up_to_their_limits():
    before = Batch(torch.rand(1, 3, 8, 12) * 0.4 - 0.1, torch.zeros(1, 1, 8, 12), ("a.png",))  # nothing is clipped
    change, found = Standard(3, mirrored=0, brightness=0.1, contrast=0.5), []
    for epoch in range(100):
        after = change(before, epoch).target
        gain, shift = float(after.std() / before.target.std()), float(after.mean() - before.target.mean())
        expected = (before.target - before.target.mean()) * gain + before.target.mean() + shift
        torch.testing.assert_close(after, expected)
        found.append((gain, shift))
    gains, shifts = torch.tensor(found).T
    assert 0.5 <= gains.min() < 0.55 < 1.45 < gains.max() <= 1.5
    assert -0.2 <= shifts.min() < -0.18 < 0.18 < shifts.max() <= 0.2  # of a range of 2
    assert torch.corrcoef(torch.stack([gains, shifts]))[0, 1].abs() < 0.3


def test_crops_keep_a_share_of_the_side_and_lie_anywhere():
    size = 40
    rows, columns = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    target = torch.stack([rows, columns, torch.zeros(size, size)])[None] / 40 * 2 - 1  # each pixel says where it is
    before = Batch(target, torch.zeros(1, 1, size, size), ("a.png",))
    shares, tops, lefts = [], [], []
    for epoch in range(150):
        place = (Standard(5, mirrored=0, crop=0.4)(before, epoch).target[0, :2] + 1) * 20
        (top, bottom), (left, right) = place[0, [0, -1], 20].tolist(), place[1, 20, [0, -1]].tolist()
        share = (bottom - top) / size + 0.01
        assert right - left == pytest.approx(bottom - top, abs=0.5)
        shares.append(share)
        if share < 0.8:
            tops.append(top / (size - share * size))
            lefts.append(left / (size - share * size))
    assert 0.36 < min(shares) < 0.45
    assert 0.95 < max(shares) <= 1.01
    for starts in (tops, lefts):
        assert min(starts) < 0.12
        assert max(starts) > 0.88
    assert abs(torch.corrcoef(torch.tensor([tops, lefts]))[0, 1]) < 0.4


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
