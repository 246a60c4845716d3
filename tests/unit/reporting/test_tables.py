"""Cells of the tables."""

import pytest

from pose_inpaint.reporting.paired_differences import Difference
from pose_inpaint.reporting.tables import Comparison, write_markdown


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
