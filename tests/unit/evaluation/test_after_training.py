"""The sentences at the end of a training."""

import pytest
from test_scores_file import FILE

from pose_inpaint.evaluation.after_training import compare_with_mean_fill


def scores(**values):
    return {name: {"value": value, "low": None, "high": None, "n": 3} for name, value in values.items()}


def describe(own, mean):
    import dataclasses

    return compare_with_mean_fill(dataclasses.replace(FILE, scores=own), mean)


@pytest.mark.parametrize(
    ("error", "says"), [(0.01, "75% less error than"), (0.04, "no better than"), (0.05, "no better than")]
)
def test_it_is_compared_with_the_mean_fill(error, says):
    own = scores(mse_composite_hole=error, psnr_composite_whole=20.0)
    text = describe(own, scores(mse_composite_hole=0.04, psnr_composite_whole=18.5))
    assert f"is {error:.4f} (lower is better)" in text
    assert f"gives 0.0400: the network makes {says} that." in text
    assert "20.00 dB, mean colour 18.50 dB" in text


@pytest.mark.parametrize("missing", [{}, {"mse_composite_hole": None, "psnr_composite_whole": None}])
def test_a_missing_score_is_a_dash_and_not_compared(missing):
    own = scores(mse_composite_hole=0.01, psnr_composite_whole=20.0)
    text = describe(scores(**missing), own)
    assert "inside the holes is - (lower is better)" in text
    assert "gives 0.0100.\n" in text
    assert "whole image (test split, n 3): - dB, mean colour 20.00 dB" in text
    assert "gives -.\n" in describe(own, scores(**missing))
