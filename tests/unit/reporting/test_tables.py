"""Cells of the tables."""

import pytest

from pose_inpaint.reporting.paired_differences import Difference
from pose_inpaint.reporting.tables import Comparison, cell, describe, write_markdown


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
        [score],
        [Difference(score, 0, 1, {**estimate, "n": 3})],
        {score: None},
    )
    write_markdown(found, tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text().rstrip().splitlines()[-1].endswith(f"| {cell} |")


def test_rows_are_told_apart_or_marked_equal(tmp_path):
    runs = [Run(tmp_path / name) for name in "abcd"]
    for run, value in zip(runs, (0.25, 0.25003, 0.25003, None), strict=True):
        run.file = File()
        estimate = {"value": value, "low": value, "high": value, "n": 3}
        run.file.estimate = lambda score, estimate=estimate: estimate if estimate["value"] else None
    assert [cell(run, "mse_raw_whole", runs) for run in runs] == [
        "0.25000 [0.25000, 0.25000]", "= 0.25003 [0.25003, 0.25003]", "= 0.25003 [0.25003, 0.25003]", "-",
    ]  # fmt: skip
    found = Comparison(runs, ["mse_raw_whole"], [], {"mse_raw_whole": None})
    assert "=: equal to another method's value in all digits shown." in describe(found)
    assert not [line for line in describe(Comparison(runs[:2], ["mse_raw_whole"], [], {})) if line.startswith("=")]
