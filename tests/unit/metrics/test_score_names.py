import pytest

from pose_inpaint.errors import InputError
from pose_inpaint.metrics.score_names import ScoreName


@pytest.mark.parametrize(
    ("name", "parts", "label", "higher"),
    [
        ("mse_composite_hole", ("mse", "composite", "hole"), "MSE, composite, hole", False),
        ("psnr_pooled_raw_whole", ("psnr_pooled", "raw", "whole"), "pooled PSNR (dB), raw, whole", True),
        ("frechet_vgg16_raw_whole", ("frechet_vgg16", "raw", "whole"), "Fréchet, VGG16, raw, whole", False),
        ("dssim_raw_known", ("dssim", "raw", "known"), "DSSIM, raw, known", False),
        ("ssim_raw_known", ("ssim", "raw", "known"), "SSIM, raw, known", True),
        ("wnjd_composite_hole", ("wnjd", "composite", "hole"), "WNJD, composite, masked joints", False),
        ("pck_composite_whole", ("pck", "composite", "whole"), "PCK@0.2, composite, all joints", True),
        ("found_composite_known", ("found", "composite", "known"), "people found, composite, known joints", True),
        ("psnr_y_raw_whole", ("psnr_y", "raw", "whole"), "psnr_y, raw, whole", True),
        ("new_metric_raw_whole", ("new_metric", "raw", "whole"), "new_metric, raw, whole", False),
    ],
)  # fmt: skip
def test_a_name_has_three_parts_a_label_and_a_direction(name, parts, label, higher):
    score = ScoreName.parse(name)
    assert (score.metric, score.image, score.region) == parts
    assert str(score) == name
    assert score.label == label
    assert score.higher_is_better is higher


def test_values_have_the_digits_of_their_metric_and_a_dash_for_none():
    assert ScoreName.parse("psnr_raw_whole").format(20.128) == "20.13"
    assert ScoreName.parse("mse_raw_whole").format(0.04116) == "0.0412"
    assert ScoreName.parse("mse_raw_whole").format(None) == ScoreName.parse("mse_raw_whole").format(float("nan")) == "-"
    estimate = {"value": 0.25, "low": 0.2, "high": 0.3, "n": 4}
    assert ScoreName.parse("mse_raw_whole").format_estimate(estimate) == "0.2500 [0.2000, 0.3000]"
    estimate = {"value": 0.25, "low": None, "high": None, "n": 4}
    assert ScoreName.parse("fid_raw_whole").format_estimate(estimate) == "0.25"


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([], 4), ([0.25, 0.25], 4), ([0.25, None, float("nan")], 4), ([0.25, 0.2501], 4), ([0.25, 0.25004], 5),
        ([0.25, 0.250003, 0.3], 6), ([0.25, 0.2500000001], 4), ([0.25, 0.2500000001, 0.25004], 5),
    ],
)  # fmt: skip
def test_digits_tell_values_apart_as_far_as_two_more_can(values, decimals):
    assert ScoreName.parse("mse_raw_whole").decimals(values) == decimals


def test_other_names_are_refused():
    with pytest.raises(InputError, match="mse_hole: not the name of a score; give METRIC_IMAGE_REGION"):
        ScoreName.parse("mse_hole")
