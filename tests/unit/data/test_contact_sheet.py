"""Contact sheets: where each image lies, and what is beside it."""

import numpy as np
import pytest
import torch

from pose_inpaint.data.contact_sheet import break_heading, draw_contact_sheet, panels
from pose_inpaint.types import EMPTY, Batch, InpaintingOutput


@pytest.mark.parametrize("captions", [(), ("first: a.png", "second: b.png")])
@pytest.mark.parametrize(("height", "width", "scale"), [(8, 12, 10), (150, 130, 1), (16, 50, 2)])
def test_each_image_lies_in_its_row_and_column(captions, height, width, scale):
    levels = torch.randint(0, 200, (2, 3, 3, height, width), generator=torch.Generator().manual_seed(0))
    sheet = np.asarray(draw_contact_sheet(levels / 127.5 - 1, ("one", "two", "three"), captions)).astype(int)
    assert sheet.shape[1] == 3 * (scale * width + 4) + 4
    letters = max(10, min(14, scale * width // 8)) + 6  # a line of text
    top = letters
    for row in range(2):
        top += letters if captions else 0
        for column in range(3):
            left = 4 + column * (scale * width + 4)
            shown = sheet[top : top + scale * height, left : left + scale * width]
            expected = np.kron(levels[row, column].permute(1, 2, 0).numpy(), np.ones((scale, scale, 1)))
            assert (shown == expected).all(), (row, column)
            assert (sheet[top : top + scale * height, left - 4 : left] == 255).all()  # a gap of 4 pixels
        if captions:
            assert (sheet[top - letters : top, 4:] < 100).any()  # letters above the row
        top += scale * height + 4
    assert (sheet[:letters] < 100).any()  # the headings
    assert sheet.shape[0] == top + 4


def test_panels_are_input_raw_composite_and_original():
    mask = torch.zeros(2, 1, 2, 3)
    mask[0, :, 0, 1] = mask[1, :, 1] = 1
    target = torch.full((2, 3, 2, 3), 0.5)
    target[1, :, 1] = torch.nan  # of a blind image
    raw = torch.full((2, 2, 3, 2, 3), 0.25)
    raw[:, 1] = -0.75  # the second sample is not shown
    shown = panels(Batch(target, mask, ("a", "b")), InpaintingOutput(raw))
    assert shown.shape == (2, 4, 3, 2, 3)
    assert shown[0, :, 0, 0].tolist() == [[0.5, EMPTY, 0.5], [0.25] * 3, [0.5, 0.25, 0.5], [0.5] * 3]
    assert shown[1, :, 2, 1].tolist() == [[EMPTY] * 3, [0.25] * 3, [0.25] * 3, [-1] * 3]


class Typewriter:
    """A font of letters that are one pixel wide."""

    def getlength(self, text):
        return len(text)


@pytest.mark.parametrize(
    ("heading", "lines"),
    [
        ("telea", ["telea"]),
        ("mean (again)", ["mean", "(again)"]),
        ("push_pull_fill", ["push_pull_", "fill"]),
        ("abcdefghijkl", ["abcdefghij", "kl"]),
        ("a" * 50, ["a" * 10] * 5),
        ("a" * 51, ["a" * 10] * 4 + ["a" * 7 + "..."]),
        ("", []),
    ],
)
def test_headings_are_broken_where_words_end_and_shortened_only_after_five_lines(heading, lines):
    assert break_heading(heading, 10, Typewriter()) == lines


def test_the_sheet_has_room_for_the_longest_heading():
    rows = torch.ones(1, 2, 3, 128, 128)
    one, long = (draw_contact_sheet(rows, ["a", heading]) for heading in ("b", "_".join("b" * 60)))
    assert long.width == one.width
    assert long.height > one.height
    assert all(long.getpixel((x, long.height - 130)) == (255, 255, 255) for x in range(long.width))
