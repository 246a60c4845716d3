"""Headings of contact sheets."""

import pytest
import torch

from pose_inpaint.data.contact_sheet import break_heading, draw_contact_sheet


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
