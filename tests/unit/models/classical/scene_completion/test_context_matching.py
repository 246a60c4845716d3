import pytest
import torch

from pose_inpaint.models.classical.scene_completion.context_matching import Matcher, masked_differences
from pose_inpaint.models.classical.scene_completion.lab import matching_features, to_lab
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


def periodic(height, width, seed=5):
    tile = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return tile.repeat(1, -(-height // 16), -(-width // 16))[:, :height, :width]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    # The hole's middle is at (19/40, 15/36) of the query, so in the scene at 30.4 and 20 or at 15.2 and 40 pixels; the
    # multiples of 16 nearest to the shifts there are:
    [(64, 48, (16, 0)), (32, 96, (0, 32))],
)
def test_of_equal_fits_the_one_at_the_same_relative_position_is_taken(height, width, expected):
    masked = torch.zeros(40, 36, dtype=torch.bool)
    masked[16:22, 12:18] = True
    matcher = Matcher((1.0,), 1.0, 1.0)
    features = matcher.features(periodic(40, 36))
    (placement,) = matcher.place(features, find_holes(masked, 3), periodic(height, width))
    assert (placement.row, placement.column) == expected


@pytest.mark.parametrize("shade", [-0.9, 0.1, 0.98])
def test_in_a_plain_background_nothing_is_shifted(shade):
    plain = torch.full((3, 40, 56), shade)
    masked = torch.zeros(40, 56, dtype=torch.bool)
    masked[5:14, 30:41] = True
    matcher = Matcher((1.0, 0.9), 1.0, 1.0)
    (placement,) = matcher.place(matcher.features(plain), find_holes(masked, 4), plain)
    assert (placement.scale, placement.row, placement.column) == (1.0, 0, 0)


def test_scales_that_fit_equally_go_by_their_order():
    plain = torch.zeros(3, 32, 48)
    masked = torch.zeros(32, 48, dtype=torch.bool)
    masked[12:20, 18:30] = True  # in the middle, so that it can stay there at any scale
    for scales in ((0.5, 1.0), (1.0, 0.5)):
        matcher = Matcher(scales, 1.0, 1.0)
        (placement,) = matcher.place(matcher.features(plain), find_holes(masked, 4), plain)
        assert placement.scale == scales[0]
        assert (placement.row, placement.column) == {0.5: (-8, -12), 1.0: (0, 0)}[placement.scale]


def test_unequal_holes_are_placed_each_for_itself():
    scene, _ = scene_and_hole()
    query = torch.zeros(3, 36, 44)
    query[:, :, :22], query[:, :, 22:] = scene[:, 4:, 3:25], scene[:, 1:37, 26:48]  # shifts (4, 3) and (1, 4)
    masked = torch.zeros(36, 44, dtype=torch.bool)
    masked[8:19, 6:14] = masked[25:28, 32:37] = True
    holes = find_holes(masked, 4)
    matcher = Matcher((1.0,), 1.0, 0.0)
    placements = matcher.place(matcher.features(query), holes, scene)
    assert [(p.row, p.column) for p in placements] == [(4, 3), (1, 4)]
    # A scene with room for the small one alone has no placement.
    assert matcher.place(matcher.features(query), holes, scene[:, :10]) is None
    assert matcher.place(matcher.features(query), holes[1:], scene[:, :10]) is not None


def test_places_of_which_the_scene_covers_too_little_are_not_taken():
    generator = torch.Generator().manual_seed(6)
    query = torch.rand(3, 30, 30, generator=generator) * 2 - 1
    masked = torch.zeros(30, 30, dtype=torch.bool)
    masked[10:16, 8:20] = True
    holes = find_holes(masked, 6)
    matcher = Matcher((1.0,), 0.0, 0.0)
    features = matcher.features(query)
    # Fits exactly where the hole is in the corner, and a quarter of its surroundings inside.
    corner = torch.rand(3, 40, 40, generator=generator) * 2 - 1
    corner[:, :12, :18] = query[:, 10:22, 8:26]
    inside = holes[0].context[10:, 8:].sum() / holes[0].context.sum()
    assert 0.25 < inside < 0.45
    (placement,) = matcher.place(features, holes, corner)
    assert placement.distance > 10
    (row, column), wide = (placement.row, placement.column), holes[0].context
    rows, columns = wide.nonzero().T + torch.tensor([[row], [column]])
    covered = (rows >= 0) & (rows < 40) & (columns >= 0) & (columns < 40)
    assert covered.float().mean() >= 0.5
    # A tenth, and nowhere more: the scene is as high as the hole.
    narrow = query[:, 10:16, 8:22]
    assert holes[0].context[10:16, 8:22].sum() / holes[0].context.sum() < 0.1
    assert matcher.place(features, holes, narrow) is None


def test_half_of_the_surroundings_are_enough():
    query = torch.rand(3, 9, 8, generator=torch.Generator().manual_seed(7)) * 2 - 1
    masked = torch.zeros(9, 8, dtype=torch.bool)
    masked[4] = True
    matcher = Matcher((1.0,), 0.0, 0.0)
    features, holes = matcher.features(query), find_holes(masked, 2)
    (placement,) = matcher.place(features, holes, query[:, 2:5])  # two of the four rows of context
    assert (placement.row, placement.column, placement.distance < 0.1) == (-2, 0, True)
    assert matcher.place(features, holes, query[:, 3:5]) is None


@pytest.mark.parametrize(("weight", "striped"), [(0.0, True), (2.0, True), (6.0, False)])
def test_texture_counts_by_its_weight(weight, striped):
    grey, dark, light, lighter = (torch.full((3, 24, 28), value) for value in (0.0, -0.1, 0.1, 0.2))
    columns = (torch.arange(28) + 1) // 2 % 2 == 0  # pairs, so that central differences see them
    scene = torch.cat([torch.where(columns, dark, light), lighter], 2)  # the query's grey on average, and a lighter one
    masked = torch.zeros(24, 28, dtype=torch.bool)
    masked[9:15, 10:17] = True
    matcher = Matcher((1.0,), weight, 0.0)
    (placement,) = matcher.place(matcher.features(grey), find_holes(masked, 3), scene)
    # By hand, in L*: stripes are off by their half difference, and slope as much; the lighter grey is off by its own.
    middle, low, high, flat = (float(to_lab(each)[0, 0, 0]) for each in (grey, dark, light, lighter))
    off = ((high - middle) ** 2 + (low - middle) ** 2) / 2
    by_stripes, by_grey = (off + weight * ((high - low) / 2) ** 2) ** 0.5, flat - middle
    assert (by_stripes < by_grey) == striped
    assert (placement.column < 28 - 17) == striped
    assert placement.distance == pytest.approx(min(by_stripes, by_grey), rel=0.05)


def test_holes_that_touch_at_a_corner_are_one():
    masked = torch.zeros(20, 20, dtype=torch.bool)
    masked[2:5, 2:5] = masked[5:8, 5:8] = masked[14:16, 14:17] = True
    first, second = find_holes(masked, 3)
    assert (int(first.masked.sum()), int(second.masked.sum())) == (18, 6)
    assert (second.top, second.left, second.bottom, second.right) == (11, 11, 19, 20)
    assert not (first.context & masked).any()
    assert first.context[8, 9] == first.context[10, 7] == True  # noqa: E712 (3 pixels away)
    assert not first.context[11, 7]
