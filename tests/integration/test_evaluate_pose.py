"""Scores of poses by the evaluate command."""

import csv
import json
from collections import Counter

import pytest
from conftest import add_joints

from pose_inpaint.pose.hourglass import HourglassEstimator


def evaluate(command, data, tmp_path, *more, run="run"):
    arguments = ["data=chalearn", f"data.root={data}", "data.size=32", "data.workers=0", "data.batch_size=3"]
    return command("evaluate", *arguments, f"hydra.run.dir={tmp_path}/{run}", *more)


def found(tmp_path, run="run"):
    return json.loads((tmp_path / run / "scores.json").read_text())


HOURGLASS = ("pose=hourglass", "pose.estimator.min_confidence=0.001")


def test_poses_are_scored_with_floor_and_ceiling(command, tiny_data, tiny_pose, tmp_path):
    more = ["model=mean", *HOURGLASS, f"pose.weights={tiny_pose}", "pose.bounds=true"]
    outcome = evaluate(command, tiny_data, tmp_path, *more)
    assert outcome.status == 0, outcome.err
    scores = found(tmp_path)
    assert scores["pose"]["estimator"].startswith("hourglass ")
    assert scores["pose"]["reference"] == "estimated"
    for region in ("whole", "hole"):
        assert 0 <= scores["scores"][f"wnjd_composite_{region}"]["value"] <= 1
        for bound in ("floor", "ceiling"):
            assert f"wnjd_raw_{region}" in scores["pose"][bound]["scores"]
    for words in (
        "Poses: hourglass",
        "Floor of WNJD over all joints (originals re-saved as JPEG, quality 90)",
        "Ceiling of WNJD over masked joints (masked images, not restored)",
        "WNJD: distance of the joints",
        "ms an image",
    ):
        assert words in outcome.out
    with (tmp_path / "run/scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = sum(float(row["wnjd_composite_whole"]) for row in rows) / len(rows)
    assert mean == pytest.approx(scores["scores"]["wnjd_composite_whole"]["value"], rel=1e-6)


def test_bounds_that_are_not_asked_for_come_from_the_cache_alone(command, tiny_data, tiny_pose, tmp_path, monkeypatch):
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path / "cache"))
    estimated = Counter()
    estimate = HourglassEstimator.__call__

    def counting(self, images, near=None):
        estimated["images"] += len(images)
        return estimate(self, images, near)

    monkeypatch.setattr(HourglassEstimator, "__call__", counting)
    more = [*HOURGLASS, f"pose.weights={tiny_pose}"]
    first = evaluate(command, tiny_data, tmp_path, "model=mean", *more, run="first")
    images = found(tmp_path, "first")["n"]
    assert "Floor and ceiling of WNJD are left out; pose.bounds=true scores them" in first.out
    assert "floor" not in found(tmp_path, "first")["pose"]
    assert estimated["images"] == 2 * images  # originals and composites
    evaluate(command, tiny_data, tmp_path, "model=mean", *more, "pose.bounds=true", run="asked")
    assert estimated["images"] == (2 + 3) * images  # composites, re-saved originals and masked images
    evaluate(command, tiny_data, tmp_path, "model=black", *more, run="again")
    assert estimated["images"] == (5 + 1) * images
    assert found(tmp_path, "again")["pose"] == found(tmp_path, "asked")["pose"]
    evaluate(command, tiny_data, tmp_path, "model=black", *more, "data.limit=2", run="others")
    assert "floor" not in found(tmp_path, "others")["pose"]


def test_the_original_as_its_own_prediction_has_a_wnjd_of_0(command, tiny_data, tiny_pose, tmp_path):
    more = [f"predictions={tiny_data}/test/Y", *HOURGLASS, f"pose.weights={tiny_pose}"]
    assert evaluate(command, tiny_data, tmp_path, *more).status == 0
    scores = found(tmp_path)["scores"]
    assert scores["wnjd_composite_whole"]["value"] == scores["mse_raw_whole"]["value"] == 0
    assert scores["pck_composite_whole"]["value"] == scores["found_composite_whole"]["value"] == 1


def test_black_squares_are_their_own_ceiling(command, tiny_data, tiny_pose, tmp_path):
    more = ["model=black", *HOURGLASS, f"pose.weights={tiny_pose}", "pose.bounds=true"]
    assert evaluate(command, tiny_data, tmp_path, *more).status == 0
    scores = found(tmp_path)
    ceiling = scores["pose"]["ceiling"]["scores"]["wnjd_raw_whole"]
    assert scores["scores"]["wnjd_composite_whole"] == pytest.approx(ceiling)


@pytest.mark.parametrize(("joints", "regions"), [("all", {"whole"}), ("masked", {"hole"}), ("both", {"whole", "hole"})])
def test_joints_are_chosen(command, tiny_data, tiny_pose, tmp_path, joints, regions):
    more = ["model=mean", *HOURGLASS, f"pose.weights={tiny_pose}", f"pose.joints={joints}", "pose.bounds=false"]
    assert evaluate(command, tiny_data, tmp_path, *more).status == 0
    taken = found(tmp_path)["scores"]
    assert {name.rsplit("_", 1)[1] for name in taken if name.startswith("wnjd")} == regions


def test_annotated_joints_are_a_reference(command, tiny_data, tiny_pose, tmp_path):
    add_joints(tiny_data)
    more = ["model=mean", *HOURGLASS, f"pose.weights={tiny_pose}", "pose.reference=annotated", "pose.bounds=true"]
    assert evaluate(command, tiny_data, tmp_path, *more).status == 0
    assert found(tmp_path)["pose"]["floor"]["scores"]["wnjd_raw_whole"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pose=hourglass", "pose.weights=none.ckpt"], "pose.weights=none.ckpt: no such file"),
        (["pose=blazepose"], "pose.model_dir is missing"),
        (["pose=blazepose", "pose.model_dir=/nowhere"], "pose.model_dir: no such file: /nowhere/pose_detection.tflite"),
        (["pose=openpose"], "blazepose, hourglass, keypoint_rcnn, none"),
        (["pose.joints=most"], "pose.joints=most: not one of all, masked, both"),
        (["pose.bounds=cached"], "pose.bounds=cached: must be auto, true or false"),
        (["pose.resave_quality=0"], "pose.resave_quality=0: must be in 1..100"),
        (["examples=-1"], "examples=-1"),
        (["metric=[distortion,beauty]"], "metric/beauty"),
        (["contact_sheet.each=0"], "contact_sheet.each=0: must be at least 1"),
        (["metric=[distortion,frechet]", "data.limit=1"], "frechet_vgg16_composite_whole needs at least 2 images"),
        (
            ["metric=[frechet]", "contact_sheet.rank_by=frechet_vgg16_composite_whole"],
            "contact_sheet.rank_by=frechet_vgg16",
        ),
    ],
)
def test_settings_that_cannot_be_used(command, tiny_data, tmp_path, arguments, says):
    more = ["metric.frechet_vgg16.weights=random"] if "frechet" in arguments[0] else []
    outcome = evaluate(command, tiny_data, tmp_path, "model=mean", *arguments, *more)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_reference_that_is_not_there_is_refused(command, tiny_data, tiny_pose, tmp_path):
    more = ["model=mean", *HOURGLASS, f"pose.weights={tiny_pose}"]
    outcome = evaluate(command, tiny_data, tmp_path, *more, "pose.reference=annotated")
    assert outcome.status == 2
    assert "pose.reference=annotated: 000.png has no joints" in outcome.err
    assert not (tmp_path / "run").exists()


def test_originals_without_any_person_are_refused(command, tiny_data, tiny_pose, tmp_path):
    more = ["model=mean", "pose=hourglass", f"pose.weights={tiny_pose}", "pose.estimator.min_confidence=0.999"]
    outcome = evaluate(command, tiny_data, tmp_path, *more)
    assert outcome.status == 2
    assert "no person was found in any of the 4 originals" in outcome.err
    assert not (tmp_path / "run").exists()


def test_scores_of_sets_are_printed_and_kept(command, tiny_data, tmp_path):
    more = ["model=mean", "metric=[distortion,frechet]", "metric.frechet_vgg16.weights=random"]
    outcome = evaluate(command, tiny_data, tmp_path, *more)
    assert outcome.status == 0, outcome.err
    kept = found(tmp_path)["of_sets"]
    assert kept["frechet_vgg16_composite_whole"] > 0
    assert set(kept) == {"frechet_vgg16_composite_whole", "frechet_vgg16_raw_whole"}
    assert "frechet_vgg16_composite_whole" in outcome.out
