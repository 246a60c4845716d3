import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from pose_inpaint.data.images import resize
from pose_inpaint.data.maskdata import Block, draw_blocks
from pose_inpaint.data.masks import MaskData, MaskFolder, Squares, grow, read_mask, shrink, shrink_blocks
from pose_inpaint.data.records import Record
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.hashing import digest

GOLDEN_KEY = (2018, "000.png", 3)
GOLDEN_BLOCKS = [(69, 68, 50), (18, 26, 20), (45, 57, 24), (67, 85, 34), (44, 6, 50), (87, 86, 32)]


def record(name="a.png", blocks=None):
    return Record(name, original=None, blocks=blocks)


def save_mask(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, dtype=np.uint8)).save(path)


names = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def squares(draw):
    fewest = draw(st.integers(1, 5))
    shortest = draw(st.floats(0.05, 0.8))
    longest = draw(st.floats(shortest, 0.85))
    return Squares(
        draw(st.integers(0, 2**31)),
        count=(fewest, draw(st.integers(fewest, 8))),
        side=(shortest, longest),
        max_share=draw(st.floats(longest**2, 0.95)),
    )


@settings(max_examples=60, deadline=None)
@given(masks=squares(), name=names, size=st.integers(4, 70), epoch=st.none() | st.integers(0, 100))
def test_squares_mask_something_and_at_most_max_share(masks, name, size, epoch):
    assume(masks.side[1] * size >= 1)  # the smallest square is one pixel
    share = masks.mask(record(name), (9, 5), size, epoch).double().mean()
    assert 0 < share <= masks.max_share + 1e-6


@settings(max_examples=100, deadline=None)
@given(masks=squares(), key=st.tuples(st.integers(), names), size=st.integers(4, 70))
def test_squares_keep_to_their_count_and_sides(masks, key, size):
    blocks = masks.blocks(key, size)
    assert 1 <= len(blocks) <= masks.count[1]
    for row, column, side in blocks:
        assert max(1, int(masks.side[0] * size)) <= side <= max(1, int(masks.side[1] * size))
        assert 0 <= row <= size - side
        assert 0 <= column <= size - side


@settings(max_examples=60, deadline=None)
@given(masks=squares(), key=st.tuples(st.integers(), names), size=st.integers(4, 70))
def test_squares_that_exceed_max_share_are_left_out_as_they_are_drawn(masks, key, size):
    draw = np.random.Generator(np.random.PCG64(digest(*key)))
    shortest = max(1, int(masks.side[0] * size))
    expected = []
    for _ in range(draw.integers(*masks.count, endpoint=True)):
        side = draw.integers(shortest, max(shortest, int(masks.side[1] * size)), endpoint=True)
        row, column = (draw.integers(0, size - side, endpoint=True) for _ in range(2))
        candidate = [*expected, Block(row, column, side)]
        if not expected or draw_blocks(candidate, size, size).float().mean() <= masks.max_share:
            expected = candidate
    assert masks.blocks(key, size) == expected


def test_every_count_is_drawn():
    masks = Squares(1, count=(2, 4), side=(0.1, 0.1))
    assert {len(masks.blocks((number,), 64)) for number in range(40)} == {2, 3, 4}


def test_squares_reach_both_edges():
    masked = sum(Squares(1).mask(record(str(number)), (1, 1), 16, None).int() for number in range(100))
    assert masked.min() > 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), name=names, epoch=st.none() | st.integers(0, 100))
def test_squares_are_the_same_for_the_same_key(seed, name, epoch):
    first, second = (Squares(seed).mask(record(name), (8, 8), 32, epoch) for _ in range(2))
    assert torch.equal(first, second)


def test_seed_name_and_epoch_each_change_the_squares():
    keys = [(1, "a.png", 0), (2, "a.png", 0), (1, "b.png", 0), (1, "a.png", 1)]
    drawn = {tuple(Squares(seed).mask(record(n), (8, 8), 32, e).flatten().tolist()) for seed, n, e in keys}
    assert len(drawn) == 4


def test_fixed_squares_ignore_the_epoch():
    masks = Squares(1, vary=False)
    masked = [masks.mask(record(), (8, 8), 32, epoch) for epoch in (None, 0, 1, 7)]
    assert all(torch.equal(mask, masked[0]) for mask in masked)


def test_masks_of_validation_do_not_depend_on_what_was_drawn_before():
    masks = Squares(1)
    alone = masks.mask(record("b.png"), (8, 8), 32, None)
    for other in ("a.png", "c.png"):
        masks.mask(record(other), (8, 8), 32, 5)
        masks.mask(record(other), (8, 8), 32, None)
    torch.rand(3)
    assert torch.equal(masks.mask(record("b.png"), (8, 8), 32, None), alone)


def test_squares_do_not_depend_on_the_images_shape():
    assert torch.equal(Squares(1).mask(record(), (8, 8), 32, 0), Squares(1).mask(record(), (480, 640), 32, 0))


def test_the_digest_is_stable_across_versions():  # unlike Python's hash, which differs in each process
    assert digest(2018, "000.png") == 2147351632266109657
    assert Squares(2018).blocks(GOLDEN_KEY, 128) == GOLDEN_BLOCKS


def test_parts_of_a_digest_are_separated():
    assert len({digest(1, "2a"), digest(12, "a"), digest("12a")}) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"count": (0, 3)}, r"mask\.count=\[0, 3\]"),
        ({"count": (3, 2)}, r"mask\.count=\[3, 2\]"),
        ({"count": (1.5, 3)}, r"mask\.count=\[1\.5, 3\]"),
        ({"side": (0.0, 0.5)}, r"mask\.side=\[0\.0, 0\.5\]"),
        ({"side": (0.5, 0.4)}, r"mask\.side=\[0\.5, 0\.4\]"),
        ({"side": (0.5, 1.1), "max_share": 0.9}, r"mask\.side=\[0\.5, 1\.1\]"),
        ({"max_share": 0.0}, r"mask\.max_share=0\.0"),
        ({"max_share": 1.0}, r"mask\.max_share=1\.0"),
        ({"side": (0.1, 0.9), "max_share": 0.8}, r"mask\.max_share=0\.8: .*max\(mask\.side\)\*\*2"),
        ({"evaluate_on": "train"}, r"mask\.evaluate_on=train: not one of squares, maskdata"),
    ],
)
def test_invalid_settings_of_squares_are_reported_with_their_value(arguments, says):
    with pytest.raises(InputError, match=says):
        Squares(1, **arguments)


def test_evaluating_on_maskdata_takes_its_blocks_and_training_does_not():
    masks = Squares(1, evaluate_on="maskdata")
    blocks = (Block(1, 2, 2),)
    evaluated = masks.mask(record(blocks=blocks), (4, 4), 4, None)
    assert evaluated.nonzero().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert torch.equal(masks.mask(record(blocks=blocks), (4, 4), 4, 0), Squares(1).mask(record(), (4, 4), 4, 0))
    assert [masks.uses_maskdata(split) for split in ("train", "val", "test")] == [False, True, True]


def test_evaluating_on_squares_ignores_maskdata():
    masked = Squares(1).mask(record(blocks=(Block(0, 0, 4),)), (4, 4), 32, None)
    assert torch.equal(masked, Squares(1).mask(record(), (4, 4), 32, None))
    assert not Squares(1).uses_maskdata("val")


def test_maskdata_draws_the_same_blocks_in_every_epoch():
    listed = record(blocks=(Block(0, 1, 2),))
    masked = [MaskData().mask(listed, (3, 3), 3, epoch).int().tolist() for epoch in (None, 4)]
    assert masked == [[[0, 1, 1], [0, 1, 1], [0, 0, 0]]] * 2
    assert MaskData().uses_maskdata("train")


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        (None, "maskdata.json has no entry"),
        ((), "lists no blocks"),
        ((Block(0, 3, 2),), r"block \[0, 3, 2\] exceeds .* 4 rows and 4 columns"),
    ],
)
def test_images_without_valid_blocks_are_reported(blocks, says):
    with pytest.raises(InputError, match=rf"^a\.png: .*{says}"):
        MaskData().mask(record(blocks=blocks), (4, 4), 4, None)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 6), factor=st.integers(1, 5))
def test_shrinking_keeps_every_masked_pixel_masked(data, size, factor):
    side = size * factor
    masked = torch.tensor(data.draw(st.lists(st.booleans(), min_size=side**2, max_size=side**2))).view(side, side)
    inside = masked.view(size, factor, size, factor).any(dim=3).any(dim=1)
    assert (shrink(masked, size, size) >= inside).all()


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    size=st.integers(4, 40),
    position=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.6)),
)
def test_masked_pixels_never_leak_into_known_ones(height, width, size, position):
    side = max(1, int(position[2] * min(height, width)))
    masked = torch.zeros(height, width, dtype=torch.bool)
    row, column = int(position[0] * (height - side)), int(position[1] * (width - side))
    masked[row : row + side, column : column + side] = True
    image = torch.rand(3, height, width)
    other = torch.where(masked, 100 * torch.rand(3, height, width), image)
    known = ~shrink(masked, size, size).expand(3, -1, -1)
    assert torch.equal(resize(image, size, size)[known], resize(other, size, size)[known])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 90))
def test_blocks_are_shrunk_as_their_mask_is(data, height, width, size):
    blocks = []
    for _ in range(data.draw(st.integers(1, 4))):
        side = data.draw(st.integers(1, min(height, width)))
        corner = [data.draw(st.integers(0, length - side)) for length in (height, width)]
        blocks.append(Block(*corner, side))
    whole = shrink(draw_blocks(blocks, height, width), size, size)
    assert torch.equal(shrink_blocks(blocks, (height, width), size), whole)


def test_shrinking_leaves_pixels_far_from_holes_known():
    masked = torch.zeros(64, 64, dtype=torch.bool)
    masked[:16, :16] = True
    assert shrink(masked, 16, 16).sum() <= 5 * 5


def test_a_mask_of_the_right_size_is_unchanged():
    masked = torch.tensor([[True, False], [False, False]])
    assert shrink(masked, 2, 2) is masked


@pytest.mark.parametrize(("invert", "expected"), [(False, [[0, 0, 1, 1]]), (True, [[1, 1, 0, 0]])])
def test_light_is_masked_from_128_on_unless_inverted(tmp_path, invert, expected):
    save_mask(tmp_path / "m.png", [[0, 127, 128, 255]])
    assert read_mask(tmp_path / "m.png", invert=invert).int().tolist() == expected


HOLE = np.array([[0, 1, 1], [0, 0, 1]], dtype=np.uint8)


def of_two_colours(zero, one, alpha_zero=255, alpha_one=255):
    """An RGBA image of one colour outside the hole and another inside."""
    pixels = np.empty((*HOLE.shape, 4), dtype=np.uint8)
    pixels[HOLE == 0] = (*zero, alpha_zero)
    pixels[HOLE == 1] = (*one, alpha_one)
    return Image.fromarray(pixels)


def of_palette(*colours, **_):
    image = Image.fromarray(HOLE).convert("P")
    image.putpalette(list(colours))
    return image


BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(HOLE * 255),
        Image.fromarray(HOLE),
        Image.fromarray(np.stack([HOLE] * 3, axis=2)),
        Image.fromarray(HOLE * 255).convert("1"),
        Image.fromarray(HOLE.astype(np.uint16) * 65535),
        Image.fromarray(HOLE.astype(np.uint16) * 255),
        Image.fromarray(HOLE.astype(np.uint16)),
        Image.fromarray(HOLE.astype(np.int32)),
        Image.fromarray(HOLE.astype(np.float32)),
        Image.fromarray(HOLE.astype(np.float32) * 255),
        of_palette(*BLACK, *WHITE),
        of_palette(*BLACK, 128, 0, 0),  # labels in the colours of PASCAL VOC
        of_two_colours(BLACK, BLACK, 0, 255),
        of_two_colours(WHITE, WHITE, 0, 255),
        of_two_colours(BLACK, RED, 0, 255),
        of_two_colours(BLACK, WHITE, 0, 255),
        of_two_colours(BLACK, WHITE),
        of_two_colours(BLACK, WHITE, 255, 0),  # colours that differ say it, whatever is transparent
    ],
)
@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_is_read_as_meant_however_an_editor_saved_it(tmp_path, image, invert):
    image.save(tmp_path / "m.tif")
    assert read_mask(tmp_path / "m.tif", invert=invert).tolist() == (invert != HOLE).tolist()


@pytest.mark.parametrize("mode", ["1", "P", "L", "RGB", "LA", "RGBA"])
def test_a_png_of_any_mode_is_read_as_a_mask(tmp_path, mode):
    Image.fromarray(HOLE * 255).convert(mode).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == HOLE.tolist()


def test_a_palette_with_a_transparent_entry_is_read_as_a_mask(tmp_path):
    of_palette(*RED, *RED).save(tmp_path / "m.png", transparency=0)
    assert read_mask(tmp_path / "m.png").tolist() == HOLE.tolist()


def test_a_photo_with_transparent_holes_is_no_mask(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[4:8, 4:8, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: looks like a photo with transparent pixels, .*mask=alpha"):
        read_mask(tmp_path / "m.png")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 9), width=st.integers(1, 9), pixels=st.integers(0, 11))
def test_growing_masks_what_is_within_so_many_rows_and_columns(seed, height, width, pixels):
    masked = torch.from_numpy(np.random.default_rng(seed).random((height, width)) < 0.1)
    grown = grow(masked, pixels)
    for row in range(height):
        for column in range(width):
            rows, columns = (slice(max(0, at - pixels), at + pixels + 1) for at in (row, column))
            assert grown[row, column] == masked[rows, columns].any()


@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_folder_pairs_by_name_without_suffix(tmp_path, invert):
    save_mask(tmp_path / "sub" / "a.b.bmp", [[255, 0], [0, 0]])
    save_mask(tmp_path / "a.b.bmp", [[0, 0], [0, 0]])
    masked = MaskFolder(str(tmp_path), invert=invert).mask(record("sub/a.b.jpg"), (2, 2), 2, 3)
    assert masked.tolist() == [[not invert, invert], [invert, invert]]


def test_a_mask_is_resized_like_its_image(tmp_path):
    save_mask(tmp_path / "a.png", np.pad([[255, 255], [255, 255]], (0, 6)))
    masked = MaskFolder(str(tmp_path)).mask(record(), (8, 8), 4, None)
    assert masked.shape == (4, 4)
    assert masked[0, 0]
    assert not masked[2:, 2:].any()


def test_a_mask_of_another_size_is_reported_with_both_sizes(tmp_path):
    save_mask(tmp_path / "a.png", [[255, 0, 0], [0, 0, 0]])
    with pytest.raises(InputError, match=r"a\.png: mask of 2x3 pixels .* of 3x2; make them the same size"):
        MaskFolder(str(tmp_path)).mask(record(), (3, 2), 4, None)


def test_a_missing_mask_is_reported_with_its_folder(tmp_path):
    with pytest.raises(InputError, match=rf"a\.png: no mask image a\.\* in {tmp_path}; add one"):
        MaskFolder(str(tmp_path)).mask(record(), (3, 2), 4, None)


def test_a_damaged_mask_is_reported(tmp_path):
    (tmp_path / "a.png").write_text("no mask")
    with pytest.raises(InputError, match=rf"{tmp_path}/a\.png: not an image"):
        MaskFolder(str(tmp_path)).mask(record(), (3, 2), 4, None)


def test_a_missing_mask_folder_is_reported(tmp_path):
    with pytest.raises(InputError, match=rf"mask\.root={tmp_path}/none: no such folder"):
        MaskFolder(str(tmp_path / "none"))


def test_a_mask_folder_needs_no_maskdata(tmp_path):
    assert not MaskFolder(str(tmp_path)).uses_maskdata("test")
    assert MaskFolder(str(tmp_path)).paths == (tmp_path,)
