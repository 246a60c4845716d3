"""Folders of scores as they are read back."""

import pytest
from test_scores_file import FILE

from pose_inpaint.evaluation.scored_run import read_scored_run


def test_a_run_of_one_image_and_of_images_without_a_value(tmp_path):
    FILE.write(tmp_path)
    head = "name,source,mask_ratio,mse_raw_hole,psnr_raw_hole\r\n"
    (tmp_path / "scores.csv").write_text(f"{head}ccp_1.png,ccp,0.250000,0.5,3.01\r\n")
    one = read_scored_run(str(tmp_path))
    assert (one.images, one.mask_ratios.tolist(), one.checkpoint) == (("ccp_1.png",), [0.25], "-")
    assert {name: values.tolist() for name, values in one.values.items()} == {
        "mse_raw_hole": [0.5], "psnr_raw_hole": [3.01]
    }  # fmt: skip
    with (tmp_path / "scores.csv").open("a") as file:
        file.write("b.png,other,0.000000,nan,nan\r\n")
    two = read_scored_run(str(tmp_path))
    assert two.images == ("ccp_1.png", "b.png")
    assert two.values["mse_raw_hole"].tolist() == pytest.approx([0.5, float("nan")], nan_ok=True)
