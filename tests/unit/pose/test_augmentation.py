import pytest
import torch

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.pose import augmentation as module
from pose_inpaint.pose.augmentation import augment


def spots(joints, side=64):
    """Black image with a spot at each wrist: red for the right one, green for the left one."""
    rows, columns = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    image = torch.zeros(3, side, side)
    for channel, name in enumerate(("right_wrist", "left_wrist")):
        x, y, _ = joints[JOINTS.index(name)]
        image[channel] = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return image


def test_joints_move_with_the_image(monkeypatch):
    """The spots lie at the joints; in mirrored images, the right wrist's spot is at the left wrist."""
    monkeypatch.setattr(module, "JITTER", lambda images: images)
    torch.manual_seed(0)
    joints = torch.zeros(40, 14, 3)
    joints[:, JOINTS.index("right_wrist")] = torch.tensor([40.0, 24.0, 1.0])
    joints[:, JOINTS.index("left_wrist")] = torch.tensor([24.0, 40.0, 1.0])
    images = torch.stack([spots(each) for each in joints])
    seen, moved = augment(images, joints)
    mirrored = 0
    for image, each in zip(seen, moved, strict=True):
        peaks = []
        for channel in (0, 1):
            index = image[channel].argmax()
            peaks.append(torch.tensor([index % 64 + 0.5, index // 64 + 0.5]))
        right, left = (each[JOINTS.index(f"{side}_wrist"), :2] for side in ("right", "left"))
        straight = torch.stack([right - peaks[0], left - peaks[1]]).abs().max()
        swapped = torch.stack([left - peaks[0], right - peaks[1]]).abs().max()
        assert min(straight, swapped) < 1.5
        mirrored += bool(swapped < straight)
    assert 8 < mirrored < 32


def test_joints_that_leave_the_image_are_not_visible():
    torch.manual_seed(0)
    joints = torch.tensor([63.0, 1.0, 1.0]).expand(200, 14, 3).clone()
    _, moved = augment(torch.zeros(200, 3, 64, 64), joints)
    inside = ((moved[..., :2] > 0) & (moved[..., :2] < 64)).all(-1)
    assert (moved[..., 2] > 0).eq(inside).all()
    assert 0 < inside.float().mean() < 1


def test_invisible_joints_stay_invisible():
    torch.manual_seed(0)
    joints = torch.tensor([32.0, 32.0, 0.0]).expand(20, 14, 3).clone()
    assert augment(torch.rand(20, 3, 64, 64), joints)[1][..., 2].eq(0).all()


def test_people_are_rotated_and_scaled_but_never_stretched():
    """Two arms of equal length at a right angle keep both properties."""
    torch.manual_seed(0)
    joints = torch.zeros(50, 14, 3)
    joints[:, :3, :2] = torch.tensor([[32.0, 32.0], [40.0, 32.0], [32.0, 40.0]])
    _, moved = augment(torch.zeros(50, 3, 64, 64), joints)
    points = torch.stack([moved[:, (0, 1, 2), :2], moved[:, (5, 4, 3), :2]])  # as they are, or mirrored
    first, second = points[..., 1, :] - points[..., 0, :], points[..., 2, :] - points[..., 0, :]
    for one, other in zip(*(each.transpose(0, 1) for each in (first, second)), strict=True):
        seen = one.norm(dim=-1) > 0
        assert seen.sum() == 1
        lengths = one[seen].norm(dim=-1), other[seen].norm(dim=-1)
        assert lengths[0].item() == pytest.approx(lengths[1].item(), rel=1e-4)
        assert 8 * 0.75 - 1e-3 <= lengths[0].item() <= 8 * 1.25 + 1e-3
        assert (one[seen] * other[seen]).sum().item() == pytest.approx(0, abs=1e-3)


def test_turns_sizes_and_shifts_reach_their_limits_on_both_sides():
    torch.manual_seed(0)
    joints = torch.zeros(400, 14, 3)
    joints[..., :2] = 32.0
    joints[:, [5, 0], 0] = 42.0  # both ankles to the right of the centre, which mirroring turns to the left
    _, moved = augment(torch.zeros(400, 3, 64, 64), joints)
    shift = moved[:, 13, :2] - 32  # the head's
    arm = moved[:, 0, :2] - moved[:, 13, :2]
    arm[:, 0] = arm[:, 0].abs()
    turn = torch.rad2deg(torch.atan2(arm[:, 1], arm[:, 0]))
    size = arm.norm(dim=1) / 10
    for values, limit in ((shift[:, 0], 6.4), (shift[:, 1], 6.4), (turn, 30.0), (size - 1, 0.25)):
        assert -limit - 1e-3 <= values.min() < -0.9 * limit
        assert 0.9 * limit < values.max() <= limit + 1e-3
        assert values.mean().abs() < 0.15 * limit


def test_colours_are_jittered_as_the_joints_are_not():
    torch.manual_seed(0)
    images, joints = torch.full((1, 3, 16, 16), 0.4), torch.zeros(1, 14, 3)
    images[:, 0] = 0.6
    levels = torch.stack([augment(images, joints)[0].mean((0, 2, 3)) for _ in range(60)])
    brightness = levels.mean(1) / images.mean()
    assert 0.69 < brightness.min() < 0.8
    assert 1.2 < brightness.max() < 1.31
    saturation = (levels[:, 0] - levels[:, 1]) / (0.2 * brightness)
    assert saturation.min() < 0.9
    assert saturation.max() > 1.1
