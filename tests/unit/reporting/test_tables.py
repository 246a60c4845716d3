"""Cells of the tables."""

import pytest

from pose_inpaint.reporting.paired_differences import Difference
from pose_inpaint.reporting.tables import Comparison, describe, format_cells, write_markdown


class File:
    name, n, split, mean_mask_ratio, masks_sha256 = "a", 3, "test", 0.25, "1" * 64
    sources = pose = cost = None
    data = type("Data", (), {"name": "people", "sha256": "0" * 64})

    def estimate(self, score):
        return None


class Run:
    file, checkpoint, estimator = File(), "-", None

    def __init__(self, folder):
        self.folder = folder


@pytest.mark.parametrize(
    ("estimate", "cell"),
    [
        ({"value": 0.25, "low": 0.125, "high": 0.5}, "-0.2500 [-0.5000, -0.1250]"),
        ({"value": 0.0, "low": 0.0, "high": 0.0}, "0.0000 [0.0000, 0.0000]"),
        ({"value": None, "low": None, "high": None}, "-"),
    ],
)
def test_a_difference_is_the_other_methods_minus_the_firsts_and_a_dash_if_missing(tmp_path, estimate, cell):
    score = "mse_raw_whole"
    found = Comparison(
        [Run(tmp_path / "a"), Run(tmp_path / "b")],
        ["a", "b"],
        [score],
        [Difference(score, 0, 1, {**estimate, "n": 3})],
        {score: None},
    )
    write_markdown(found, tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text().rstrip().splitlines()[-1].endswith(f"| {cell} |")


def test_rows_are_told_apart_or_marked_equal():
    estimates = [
        None if value is None else {"value": value, "low": value, "high": value, "n": 3}
        for value in (0.25, 0.25003, 0.25003, None)
    ]
    expected = ["0.25000 [0.25000, 0.25000]", *["= 0.25003 [0.25003, 0.25003]"] * 2, "-"]
    assert format_cells("mse_raw_whole", estimates, "full") == expected
    runs = [Run(name) for name in "abcd"]
    for run, estimate in zip(runs, estimates, strict=True):
        run.file = File()
        run.file.estimate = lambda score, estimate=estimate: estimate
    found = Comparison(runs, "abcd", ["mse_raw_whole"], [], {"mse_raw_whole": None})
    assert found.marked(0, "**{}**") == expected[:1]
    equal = "=: equal to another method's value in all digits shown."
    assert equal in describe(found)
    assert equal not in describe(Comparison(runs[:2], "ab", ["mse_raw_whole"], [], {"mse_raw_whole": None}))


def test_differences_have_digits_that_tell_them_from_zero(tmp_path):
    score = "mse_raw_whole"
    small = {"value": -0.00003, "low": -0.00004, "high": -0.00002, "n": 3}
    runs, differences = [Run("a"), Run("b")], [Difference(score, 0, 1, small)]
    write_markdown(Comparison(runs, "ab", [score], differences, {score: None}), tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text().endswith("| b | 0.00003 [0.00002, 0.00004] |\n")


def test_a_method_alone_has_no_table_of_differences(tmp_path):
    for runs in ([Run("a")], [Run("a"), Run("b")]):
        found = Comparison(runs, "ab"[: len(runs)], ["mse_raw_whole"], [], {"mse_raw_whole": None})
        write_markdown(found, tmp_path / "t")
        assert ("Differences to a" in (tmp_path / "t").read_text()) == (len(runs) > 1)


def test_the_words_say_whose_joints_and_of_how_many_people():
    runs = [Run("a"), Run("b")]
    runs[1].estimator, runs[1].file = "hourglass_a, original reference", File()
    runs[1].file.scores = {"wnjd_raw_person": {"n": 2}, "mse_raw_whole": {"n": 3}}
    for score, named in {"wnjd_raw_person": True, "mse_raw_whole": False}.items():
        lines = describe(Comparison(runs, "ab", [score], [], {score: None}))
        words = " Joints: hourglass_a, original reference; 2 images whose original shows a person."
        assert any(line.endswith(words) for line in lines) == named


@pytest.mark.parametrize(
    ("intervals", "cell", "words"),
    [
        ("full", "0.2500 [0.1000, 0.3000]", " with 95 % bootstrap intervals over images."),
        ("half", "0.2500 ± 0.1000", " ± half the width of their 95 % bootstrap intervals over images."),
        ("none", "0.2500", "masked on average)."),
    ],
)
def test_intervals_are_printed_as_asked_for_and_the_words_say_how(tmp_path, intervals, cell, words):
    score = "mse_raw_whole"
    estimate = {"value": 0.25, "low": 0.1, "high": 0.3, "n": 3}
    run = Run("a")
    run.file = File()
    run.file.estimate = lambda score: estimate
    differences = [Difference(score, 0, 1, {"value": -0.25, "low": -0.3, "high": -0.1, "n": 3})]
    found = Comparison([run, Run("b")], ["a", "b"], [score], differences, {score: 0}, intervals)
    write_markdown(found, tmp_path / "table.md")
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[2] == f"| a | - | **{cell}** |"
    assert lines[5].endswith(words)
    assert lines[-1] == f"| b | {cell} |"
