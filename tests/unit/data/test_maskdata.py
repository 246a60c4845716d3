import json
import re

import pytest

from pose_inpaint.data.maskdata import Block, check_blocks, draw_blocks, parse_blocks, read_maskdata
from pose_inpaint.errors import InputError


def test_first_number_is_the_row_and_second_the_column():
    assert draw_blocks([Block(1, 3, 2)], 4, 6).int().tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_parsed_blocks_keep_the_order_of_the_file():
    block = parse_blocks([[5, 7, 2]])[0]
    assert (block.row, block.column, block.size) == (5, 7, 2)


def test_blocks_add_up():
    masked = draw_blocks(parse_blocks([[0, 0, 2], [1, 1, 2], [0, 4, 1]]), 3, 5)
    assert masked.sum() == 4 + 4 - 1 + 1


def test_no_block_masks_nothing():
    assert not draw_blocks([], 3, 5).any()


def test_the_file_is_read_by_name(tmp_path):
    content = '{"a.png": [[1, 2, 3], [4.0, 5, 6]], "ü.png": [[0, 0, 1]]}'
    (tmp_path / "maskdata.json").write_text(content, encoding="utf-8")
    blocks, invalid = read_maskdata(tmp_path / "maskdata.json")
    assert blocks == {"a.png": (Block(1, 2, 3), Block(4, 5, 6)), "ü.png": (Block(0, 0, 1),)}
    assert invalid == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "not JSON"),
        (b"{'a.png': [[1, 2, 3]]}", "not JSON"),
        (b'{"a.png": [[1, 2, 3]', "not JSON"),
        (b'{"\xff.png": []}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a.png": [[' + b"1" * 5000 + b", 0, 1]]}", "not JSON"),
        (b"[[1, 2, 3]]", "holds a list"),
        (b"null", "holds a NoneType"),
    ],
    ids=["missing", "empty", "quotes", "cut off", "not UTF-8", "deep", "huge", "list", "null"],
)
def test_a_file_that_is_not_an_object_is_reported(tmp_path, content, says):
    path = tmp_path / "maskdata.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        read_maskdata(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_folder_instead_of_the_file_is_an_input_error(tmp_path):
    (tmp_path / "maskdata.json").mkdir()
    with pytest.raises(InputError, match=r"maskdata\.json"):
        read_maskdata(tmp_path / "maskdata.json")


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ("3", "3 is not a list of blocks"),
        ("null", "None is not a list of blocks"),
        ('"1, 2, 3"', "'1, 2, 3' is not a list of blocks"),
        ('{"row": 1}', "is not a list of blocks"),
        ("[1, 2, 3]", "block 1 is not"),
        ("[[1, 2]]", r"block \[1, 2\] is not \[row, column, size\]"),
        ("[[1, 2, 3, 4]]", r"block \[1, 2, 3, 4\] is not"),
        ("[[]]", r"block \[\] is not"),
        ('[[1, "2", 3]]', r"block \[1, '2', 3\] is not"),
        ("[[1, true, 3]]", r"block \[1, True, 3\] is not"),
        ("[[false, 1, 3]]", r"block \[False, 1, 3\] is not"),
        ("[[1, NaN, 3]]", r"block \[1, nan, 3\] is not"),
        ("[[1, 2, Infinity]]", r"block \[1, 2, inf\] is not"),
        ("[[1, 2, null]]", r"block \[1, 2, None\] is not"),
        ("[[1.5, 2, 3]]", r"block \[1\.5, 2, 3\] is not"),
        ("[[-1, 2, 3]]", r"block \[-1, 2, 3\] has a negative corner"),
        ("[[1, -2, 3]]", r"block \[1, -2, 3\] has a negative corner"),
        ("[[1, 2, 0]]", r"block \[1, 2, 0\] has size 0"),
        ("[[1, 2, -3]]", r"block \[1, 2, -3\] has size -3"),
        ("[[1, 2, 3], [4, 5]]", r"block \[4, 5\] is not"),
    ],
)
def test_invalid_entries_are_reported_with_name_and_value(tmp_path, blocks, says):
    (tmp_path / "maskdata.json").write_text(f'{{"good.png": [[1, 2, 3]], "bad.png": {blocks}}}')
    valid, invalid = read_maskdata(tmp_path / "maskdata.json")
    assert list(valid) == ["good.png"]
    assert [entry.name for entry in invalid] == ["bad.png"]
    assert "\n" not in invalid[0].message
    with pytest.raises(InputError, match=says):
        raise InputError(invalid[0].message)


@pytest.mark.parametrize("block", [(3, 0, 2), (0, 5, 2), (4, 0, 1), (0, 6, 1), (0, 0, 5)])
def test_blocks_that_exceed_the_image_are_rejected(block):
    with pytest.raises(InputError, match=re.escape(str(list(block))) + " exceeds .* 4 rows and 6 columns"):
        check_blocks([Block(0, 0, 1), Block(*block)], height=4, width=6)


def test_blocks_up_to_the_edge_are_accepted():
    check_blocks([Block(2, 4, 2), Block(0, 2, 4)], height=4, width=6)


def test_an_empty_list_of_blocks_is_rejected():
    with pytest.raises(InputError, match="no block"):
        check_blocks(parse_blocks(json.loads("[]")), 4, 6)
