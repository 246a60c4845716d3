import json

import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.data.input_masks import draw_mask, find_black, masked_pixels
from pose_inpaint.data.photos import Photo
from pose_inpaint.errors import InputError

GREY = Photo(torch.full((3, 4, 6), 90, dtype=torch.uint8))


def save_mask(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, dtype=np.uint8)).save(path)


HALF = [[0, 0, 0, 200, 200, 200]] * 4


@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (8, 0), (0, 12), (8, 12)])
@pytest.mark.parametrize("side", [4, 5, 7])
def test_a_black_square_is_found_to_the_pixel(corner, side):
    image = torch.full((3, 15, 19), 1, dtype=torch.uint8)
    expected = torch.zeros(15, 19, dtype=torch.bool)
    expected[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = True
    image[:, expected] = 0
    assert torch.equal(find_black(image), expected)


def test_overlapping_black_squares_are_found_whole():
    image = torch.full((3, 12, 12), 9, dtype=torch.uint8)
    image[:, 1:6, 1:6] = 0
    image[:, 4:10, 5:11] = 0
    assert torch.equal(find_black(image), image.amax(0) == 0)


def test_black_regions_without_a_square_of_four_are_part_of_the_image():
    image = torch.full((3, 12, 12), 9, dtype=torch.uint8)
    image[:, 0:3] = 0  # 3 rows
    image[:, 6:9, 6:9] = 0
    assert not find_black(image).any()


def test_dark_is_not_black():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[2] = 1
    assert not find_black(image).any()


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (1, 1)])
def test_images_smaller_than_the_smallest_square_have_none(shape):
    mask = find_black(torch.zeros(3, *shape, dtype=torch.uint8))
    assert mask.shape == shape
    assert not mask.any()


def test_black_by_name_finds_black():
    image = torch.full((3, 8, 8), 9, dtype=torch.uint8)
    image[:, :4, :4] = 0
    assert masked_pixels("black")("a.png", Photo(image)).sum() == 16


def test_a_completely_black_image_is_rejected():
    with pytest.raises(InputError, match=r"a\.png: its mask covers the whole image"):
        masked_pixels("black")("a.png", Photo(torch.zeros(3, 8, 8, dtype=torch.uint8)))


def test_maskdata_is_read_as_row_and_column(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps({"sub/a.png": [[1, 3, 2]]}))
    masked = masked_pixels(str(tmp_path / "m.json"))("sub/a.png", GREY)
    assert masked.nonzero().tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "not listed; add its blocks"),
        ({"a.png": [[1, 2]]}, r"block \[1, 2\] is not"),
        ({"a.png": []}, "no block"),
        ({"a.png": [[0, 5, 2]]}, r"block \[0, 5, 2\] exceeds the image of 4 rows and 6 columns"),
    ],
)
def test_images_without_valid_blocks_are_reported_with_the_file(tmp_path, entry, says):
    (tmp_path / "m.json").write_text(json.dumps(entry))
    with pytest.raises(InputError, match=rf"{tmp_path}/m\.json: a\.png: .*{says}"):
        masked_pixels(str(tmp_path / "m.json"))("a.png", GREY)


def test_invalid_json_is_rejected_immediately(tmp_path):
    (tmp_path / "m.json").write_text("[")
    with pytest.raises(InputError, match=r"m\.json: not JSON"):
        masked_pixels(str(tmp_path / "m.json"))


@pytest.mark.parametrize("source", ["none", "none.png", "none.json"])
def test_missing_masks_are_reported_with_the_options(tmp_path, source):
    with pytest.raises(InputError, match=rf"mask={tmp_path}/{source}: no such file or folder; give .* or black"):
        masked_pixels(f"{tmp_path}/{source}")


@pytest.mark.parametrize("invert", [False, True])
def test_one_mask_applies_to_every_image(tmp_path, invert):
    save_mask(tmp_path / "m.png", HALF)
    masked = masked_pixels(str(tmp_path / "m.png"), invert=invert)
    for name in ("a.png", "sub/b.jpg"):
        assert masked(name, GREY)[0].tolist() == [invert] * 3 + [not invert] * 3


def test_a_folder_pairs_masks_by_path_without_suffix(tmp_path):
    save_mask(tmp_path / "a.bmp", HALF)
    save_mask(tmp_path / "sub" / "a.bmp", 200 - np.array(HALF))
    masked = masked_pixels(str(tmp_path))
    assert masked("a.jpg", GREY)[0].tolist() == [False] * 3 + [True] * 3
    assert masked("sub/a.png", GREY)[0].tolist() == [True] * 3 + [False] * 3


def test_an_image_without_mask_in_the_folder_is_reported(tmp_path):
    with pytest.raises(InputError, match=rf"sub/a\.png: no mask image sub/a\.\* in {tmp_path}; add one"):
        masked_pixels(str(tmp_path))("sub/a.png", GREY)


def test_a_mask_of_another_size_is_reported_with_both_sizes(tmp_path):
    save_mask(tmp_path / "m.png", [[0, 255]])
    with pytest.raises(
        InputError, match=r"a\.png: its mask .*m\.png has 1x2 pixels, the image 4x6; .* mask\.fit=resize"
    ):
        masked_pixels(str(tmp_path / "m.png"))("a.png", GREY)


@pytest.mark.parametrize(("value", "covers"), [(255, "the whole image"), (0, "nothing")])
@pytest.mark.parametrize("invert", [False, True])
def test_a_full_or_empty_mask_points_to_the_polarity(tmp_path, value, covers, invert):
    save_mask(tmp_path / "m.png", np.full((4, 6), 255 - value if invert else value))
    with pytest.raises(InputError, match=rf"a\.png: its mask covers {covers}; check it, and mask\.invert"):
        masked_pixels(str(tmp_path / "m.png"), invert=invert)("a.png", GREY)


def test_blocks_over_the_whole_image_are_refused(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps({"a.png": [[0, 0, 4], [0, 2, 4]]}))
    with pytest.raises(InputError, match=r"a\.png: its mask covers the whole image"):
        masked_pixels(str(tmp_path / "m.json"))("a.png", GREY)


def test_alpha_masks_what_is_not_opaque():
    alpha = torch.full((4, 6), 255, dtype=torch.uint8)
    alpha[1, 2], alpha[3, 4] = 0, 254
    masked = masked_pixels("alpha")("a.png", Photo(GREY.pixels, alpha))
    assert masked.nonzero().tolist() == [[1, 2], [3, 4]]


def test_alpha_of_an_opaque_image_is_rejected():
    with pytest.raises(InputError, match=r"a\.png: no transparent pixel"):
        masked_pixels("alpha")("a.png", GREY)


def test_transparent_holes_without_black_point_to_alpha():
    alpha = torch.zeros(4, 6, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"a\.png: no black square .*give mask=alpha"):
        masked_pixels("black")("a.png", Photo(GREY.pixels, alpha))


@pytest.mark.parametrize("source", ["black", "alpha", "m.json"])
def test_a_polarity_without_mask_images_is_rejected(source):
    with pytest.raises(InputError, match=rf"mask\.invert=true: .* not mask={source}"):
        masked_pixels(source, invert=True)


def test_an_image_without_a_black_square_is_rejected():
    with pytest.raises(InputError, match=r"a\.jpg: no black square of at least 4x4 pixels"):
        masked_pixels("black")("a.jpg", Photo(torch.full((3, 8, 8), 3, dtype=torch.uint8)))


def test_a_mask_of_another_size_is_resized_on_request(tmp_path):
    save_mask(tmp_path / "m.png", [[0, 255], [255, 0]])
    masked = masked_pixels(str(tmp_path / "m.png"), fit="resize")("a.png", GREY)
    assert masked.int().tolist() == [[0, 0, 0, 1, 1, 1]] * 2 + [[1, 1, 1, 0, 0, 0]] * 2


@pytest.mark.parametrize("fit", ["error", "resize"])
def test_a_mask_that_lies_on_its_side_is_not_resized(tmp_path, fit):
    save_mask(tmp_path / "m.png", np.array(HALF).T)
    with pytest.raises(InputError, match=r"m\.png has 6x4 pixels, the image 4x6; turn it by 90 degrees"):
        masked_pixels(str(tmp_path / "m.png"), fit=fit)("a.png", GREY)


def test_several_sources_mask_what_any_of_them_does(tmp_path):
    save_mask(tmp_path / "one.png", [[255, 0, 0, 0, 0, 0]] + [[0] * 6] * 3)
    save_mask(tmp_path / "each" / "a.png", [[0] * 6] * 3 + [[0, 0, 0, 0, 0, 255]])
    (tmp_path / "m.json").write_text(json.dumps({"a.png": [[1, 1, 1]]}))
    alpha = torch.full((4, 6), 255, dtype=torch.uint8)
    alpha[0, 3] = 0
    sources = [f"{tmp_path}/one.png", f"{tmp_path}/each", f"{tmp_path}/m.json", "alpha"]
    masked = masked_pixels(sources)("a.png", Photo(GREY.pixels, alpha))
    assert masked.nonzero().tolist() == [[0, 0], [0, 3], [1, 1], [3, 5]]
    inverted = masked_pixels(["alpha", f"{tmp_path}/one.png"], invert=True)
    with pytest.raises(InputError, match="its mask covers the whole image"):
        inverted("a.png", Photo(GREY.pixels, 255 - alpha))
    with pytest.raises(InputError, match=r"b\.png: no mask image b\.\* in .*each"):
        masked_pixels(sources)("b.png", Photo(GREY.pixels, alpha))


def test_a_mask_that_grows_over_the_whole_image_names_the_key(tmp_path):
    save_mask(tmp_path / "m.png", HALF)
    with pytest.raises(InputError, match=r"a\.png: its mask covers the whole image, grown by mask\.grow=3; give less"):
        masked_pixels(str(tmp_path / "m.png"), pixels=3)("a.png", GREY)
    masked = masked_pixels(str(tmp_path / "m.png"), pixels=2)("a.png", GREY)
    assert masked.int().tolist() == [[0, 1, 1, 1, 1, 1]] * 4


def test_a_drawn_mask_has_red_holes_in_a_yellow_line():
    masked = torch.zeros(5, 6, dtype=torch.bool)
    masked[2:4, 2:4] = True
    drawn = draw_mask(torch.full((3, 5, 6), 100, dtype=torch.uint8), masked)
    assert drawn[:, 2, 2].tolist() == [178, 51, 51]
    assert drawn[:, 1, 1].tolist() == drawn[:, 4, 4].tolist() == [255, 255, 0]
    assert drawn[:, 0].unique().tolist() == [100]
