import dataclasses
import json

import pytest

from pose_inpaint.evaluation.scores_file import (
    Bound,
    CheckpointRecord,
    Dataset,
    Group,
    PoseRecord,
    ScoresFile,
    Sources,
)

ESTIMATE = {"value": 0.25, "low": 0.125, "high": 0.5, "n": 3}
FILE = ScoresFile(
    name="telea", split="test", data=Dataset("people", "0" * 64), seed=1, n=3, masks_sha256="1" * 64,
    mean_mask_ratio=0.25, metric={"mse": {"_target_": "a.b"}}, scores={"mse_raw_hole": ESTIMATE},
    of_sets={"fid_composite_whole": 12.5}, by_mask_ratio={"0-50%": Group(3, 0.25, {"mse_raw_hole": ESTIMATE})},
    by_source={"ccp": Group(3, 0.25, {"mse_raw_hole": ESTIMATE})}, seconds={"reading": 0.5},
)  # fmt: skip


def test_what_is_written_is_read_back(tmp_path):
    full = dataclasses.replace(
        FILE,
        pose=PoseRecord("hourglass", "estimated", floor=Bound("saved again", {"wnjd_raw_whole": ESTIMATE})),
        checkpoint=CheckpointRecord("best.ckpt", "2" * 64, "adversarial"),
        sources=Sources(1, {"a.png": {"name": "b.png", "distance": 0.5, "near_duplicate": True}}),
        mean_fill={"mse_composite_hole": ESTIMATE},
    )
    for file in (FILE, full):
        file.write(tmp_path)
        assert ScoresFile.read(tmp_path) == file


def test_fields_that_do_not_apply_are_left_out_and_infinite_values_are_null(tmp_path):
    infinite = {"psnr_composite_whole": {"value": float("inf"), "low": float("nan"), "high": float("nan"), "n": 1}}
    dataclasses.replace(FILE, scores=infinite, pose=PoseRecord("hourglass", "estimated")).write(tmp_path)
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["scores"] == {"psnr_composite_whole": {"value": None, "low": None, "high": None, "n": 1}}
    assert content["pose"] == {"estimator": "hourglass", "reference": "estimated"}
    assert not {"checkpoint", "sources", "mean_fill", "predictions"} & set(content)


@pytest.mark.parametrize(("lost", "error"), [("mean_mask_ratio", KeyError), ("by_mask_ratio", KeyError)])
def test_a_file_of_an_older_version_is_refused_by_the_field_it_lacks(tmp_path, lost, error):
    FILE.write(tmp_path)
    content = json.loads((tmp_path / "scores.json").read_text())
    content["hidden_share"] = content.pop(lost)
    (tmp_path / "scores.json").write_text(json.dumps(content))
    with pytest.raises(error, match=lost):
        ScoresFile.read(tmp_path)


def test_scores_of_a_set_have_no_interval():
    assert FILE.estimate("fid_composite_whole") == {"value": 12.5, "low": None, "high": None, "n": 3}
    assert FILE.estimate("mse_raw_hole") == ESTIMATE
    assert FILE.estimate("mse_composite_hole") is None


def test_the_folder_is_made(tmp_path):
    FILE.write(tmp_path / "new" / "run")
    assert ScoresFile.read(tmp_path / "new" / "run") == FILE
