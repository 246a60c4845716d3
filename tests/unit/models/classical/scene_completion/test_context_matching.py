import pytest
import torch

from pose_inpaint.models.classical.scene_completion.context_matching import Matcher, masked_differences
from pose_inpaint.models.classical.scene_completion.lab import matching_features
from pose_inpaint.models.classical.scene_completion.method import find_holes


def test_differences_are_those_of_brute_force_at_every_shift():
    generator = torch.Generator().manual_seed(0)
    template, image = torch.rand(4, 5, 6, generator=generator) * 50, torch.rand(4, 9, 8, generator=generator) * 50
    weight = (torch.rand(5, 6, generator=generator) > 0.4).float()
    error, covered = masked_differences(template, weight, image)
    for down in range(-4, 9):
        for right in range(-5, 8):
            total = count = 0.0
            for r in range(5):
                for c in range(6):
                    if 0 <= r + down < 9 and 0 <= c + right < 8 and weight[r, c]:
                        total += float((template[:, r, c] - image[:, r + down, c + right]).square().sum())
                        count += 1
            assert float(error[down, right]) == pytest.approx(total, abs=0.05)
            assert float(covered[down, right]) == count


def scene_and_hole():
    scene = torch.nn.functional.interpolate(
        torch.rand(1, 3, 10, 12, generator=torch.Generator().manual_seed(3)), (40, 48), mode="bicubic"
    )[0].clamp(0, 1) * 2 - 1  # fmt: skip
    masked = torch.zeros(32, 32, dtype=torch.bool)
    masked[12:20, 10:18] = True
    return scene, find_holes(masked, 5)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (6, 11), (8, 16), (3, 0)])
def test_a_piece_of_the_scene_is_placed_where_it_was_cut_out(row, column):
    scene, holes = scene_and_hole()
    query = scene[:, row : row + 32, column : column + 32]
    (placement,) = Matcher((0.81, 1.0), 1.0, 0.0).place(matching_features(query), holes, scene)
    assert (placement.scale, placement.row, placement.column) == (1.0, row, column)
    assert placement.distance < 1


def test_large_shifts_are_penalised():
    generator = torch.Generator().manual_seed(4)
    tile = torch.rand(3, 16, 16, generator=generator) * 2 - 1
    scene = tile.repeat(1, 4, 4)  # looks the same every 16 pixels
    masked = torch.zeros(64, 64, dtype=torch.bool)
    masked[28:36, 28:36] = True
    holes = find_holes(masked, 5)
    noisy = matching_features(scene) + 0.5
    (placement,) = Matcher((1.0,), 1.0, 5.0).place(noisy, holes, scene)
    assert (placement.row, placement.column) == (0, 0)
    free = Matcher((1.0,), 1.0, 0.0)
    assert free.place(noisy, holes, scene)[0].distance == pytest.approx(placement.distance, rel=1e-4)


def test_a_scene_smaller_than_the_hole_has_no_placement():
    scene, holes = scene_and_hole()
    query = matching_features(scene[:, :32, :32])
    assert Matcher((1.0,), 1.0, 1.0).place(query, holes, scene[:, :7, :20]) is None
    assert Matcher((1.0,), 1.0, 1.0).place(query, holes, scene[:, :8, :8]) is None  # no context inside it
    assert Matcher((1.0,), 1.0, 1.0).place(query, holes, scene[:, :16, :16]) is not None


def test_holes_that_touch_at_a_corner_are_one():
    masked = torch.zeros(20, 20, dtype=torch.bool)
    masked[2:5, 2:5] = masked[5:8, 5:8] = masked[14:16, 14:17] = True
    first, second = find_holes(masked, 3)
    assert (int(first.masked.sum()), int(second.masked.sum())) == (18, 6)
    assert (second.top, second.left, second.bottom, second.right) == (11, 11, 19, 20)
    assert not (first.context & masked).any()
    assert first.context[8, 9] == first.context[10, 7] == True  # noqa: E712 (3 pixels away)
    assert not first.context[11, 7]
