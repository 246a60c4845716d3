import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.local_patch import crop, place_patches


def holes(*boxes, size=32):
    mask = torch.zeros(1, 1, size, size)
    for row, column, height, width in boxes:
        mask[..., row : row + height, column : column + width] = 1
    return mask


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 12, 4, 6), (4, 7)),  # middle at row 12 and column 15, a patch of 16 begins 8 before
        ((0, 0, 4, 4), (0, 0)),  # would begin at -6
        ((28, 28, 4, 4), (16, 16)),  # would end beyond the image
    ],
)
def test_a_patch_is_centred_on_its_hole(box, expected):
    assert place_patches(holes(box), 16).tolist() == [list(expected)]


def test_a_patch_shows_a_hole_that_winds_around_its_middle():
    mask = holes((0, 0, 32, 4), (28, 0, 4, 32))
    ((row, column),) = place_patches(mask, 8).tolist()
    assert mask[0, 0, row : row + 8, column : column + 8].any()


def test_each_of_several_holes_is_drawn_about_as_often():
    mask = holes((4, 4, 2, 2), (4, 20, 6, 6), (20, 4, 3, 3))
    generator = torch.Generator().manual_seed(0)
    corners = [tuple(place_patches(mask, 8, generator=generator)[0].tolist()) for _ in range(300)]
    counts = sorted(corners.count(corner) for corner in set(corners))
    assert len(counts) == 3
    assert counts[0] > 70


def test_the_seed_decides():
    mask = holes((4, 4, 2, 2), (4, 20, 6, 6)).expand(8, 1, 32, 32)
    first, again = (place_patches(mask, 8, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    torch.manual_seed(5)
    first = place_patches(mask, 8)
    torch.manual_seed(5)
    assert torch.equal(first, place_patches(mask, 8))


def test_holes_that_fill_the_patch_are_skipped():
    mask = holes((0, 0, 20, 20), (26, 26, 2, 2))
    for seed in range(8):
        (corner,) = place_patches(mask, 8, generator=torch.Generator().manual_seed(seed)).tolist()
        assert corner == [23, 23]


def test_a_patch_without_context_moves_to_the_nearest_known_pixel():
    ((row, column),) = place_patches(holes((0, 0, 20, 32)), 8).tolist()
    assert (row, column) == (13, 12)  # the hole's middle is row 10; rows 13 to 20 are the first that show row 20


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_patches_lie_inside_and_show_context_and_hole(seed, patch):
    mask = (torch.rand(3, 1, 9, 12, generator=torch.Generator().manual_seed(seed)) < 0.8).float()
    mask[:, :, 0, 0], mask[:, :, 8, 11] = 0, 1
    for masked, (row, column) in zip(mask[:, 0] > 0, place_patches(mask, patch).tolist(), strict=True):
        assert 0 <= row <= 9 - patch
        assert 0 <= column <= 12 - patch
        shown = masked[row : row + patch, column : column + patch]
        assert not shown.all()
        assert shown.any() or patch == 1  # a single pixel can't be both


@pytest.mark.parametrize(
    ("mask", "lacks"), [(torch.zeros(1, 1, 8, 8), "no hole"), (torch.ones(1, 1, 8, 8), "no known")]
)
def test_images_without_hole_or_context_are_named(mask, lacks):
    with pytest.raises(InputError, match=rf"a\.png: {lacks}"):
        place_patches(mask, 4, ["a.png"])


def test_patches_larger_than_the_image_raise():
    with pytest.raises(InputError, match=r"discriminator\.patch=16: larger than the images of 8x12; give at most 8"):
        place_patches(torch.zeros(1, 1, 8, 12), 16)


def test_crops_are_slices_of_their_own_images():
    images = torch.rand(2, 3, 9, 8, requires_grad=True)
    crops = crop(images, torch.tensor([[0, 4], [5, 1]]), 4)
    assert torch.equal(crops[0], images[0, :, 0:4, 4:8])
    assert torch.equal(crops[1], images[1, :, 5:9, 1:5])
    crops.sum().backward()
    assert images.grad.sum() == 2 * 3 * 16
    assert images.grad[0, :, 4:].sum() == 0
