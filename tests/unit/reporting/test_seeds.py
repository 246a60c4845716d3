"""Means over seeds."""

import pytest
import torch

from pose_inpaint.reporting.seeds import seeded_methods, write_seeds
from pose_inpaint.reporting.tables import Comparison


class File:
    name, n, split, mean_mask_ratio, masks_sha256 = "a", 3, "test", 0.25, "1" * 64
    sources = pose = None
    data = type("Data", (), {"name": "people", "sha256": "0" * 64})

    def estimate(self, score):
        return None


class Run:
    file, estimator = File(), None

    def __init__(self, *values):
        self.values = {"mse_raw_whole": torch.tensor(values, dtype=torch.float64)}


def test_only_methods_with_several_seeds_are_averaged():
    names = ["telea", "a_seed1", "b_seed1", "a_seed22", "c_seedless", "a_seed3b"]
    assert seeded_methods(names) == {"a": [1, 3]}


def test_means_ranges_and_differences_are_over_seeds(tmp_path):
    names = ["telea", "a_seed1", "b_seed1", "a_seed2", "b_seed2"]
    runs = [Run(9, 9), Run(0.2, 0.4), Run(0.1, 0.1), Run(0.4, 0.6), Run(0.3, 0.1)]
    write_seeds(Comparison(runs, names, ["mse_raw_whole"], [], {}), tmp_path / "seeds.md", 0)
    rows = [line for line in (tmp_path / "seeds.md").read_text().splitlines() if line.startswith("| ")]
    # By image, a is 0.3 and 0.5, b is 0.2 and 0.1; a's seeds have means of 0.3 and 0.5.
    assert rows[1].startswith("| a | 2 | 0.4000 [0.3000, 0.5000]; 0.3000 to 0.5000 |")
    assert rows[2].startswith("| b | 2 | 0.1500 [0.1000, 0.2000]; 0.1000 to 0.2000 |")
    assert rows[4] == "| a - b | 0.2500 [0.1000, 0.4000] |"


@pytest.mark.parametrize("names", [["telea", "a_seed1"], ["a", "b"]])
def test_without_several_seeds_nothing_is_written(tmp_path, names):
    write_seeds(Comparison([Run(1), Run(2)], names, ["mse_raw_whole"], [], {}), tmp_path / "seeds.md", 0)
    assert not list(tmp_path.iterdir())
