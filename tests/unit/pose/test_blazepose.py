import math
import sys

import pytest
import torch

from pose_inpaint.data.dataset import collate, read_record
from pose_inpaint.data.masks import MaskData
from pose_inpaint.data.sources import Chalearn
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.pose_accuracy import measure_accuracy
from pose_inpaint.pose.blazepose import (
    BlazePose,
    anchor_centres,
    crop_square,
    decode,
    find_models,
    merge_best,
    person_square,
    refine,
)


def test_anchors_are_the_middles_of_the_cells():
    anchors = anchor_centres()
    assert anchors.shape == (2254, 2)  # 28 x 28 x 2 + 14 x 14 x 2 + 7 x 7 x 6, as many as the detector's outputs
    assert anchors[0].tolist() == anchors[1].tolist() == pytest.approx([0.5 / 28, 0.5 / 28])
    assert anchors[2].tolist() == pytest.approx([1.5 / 28, 0.5 / 28])  # x varies fastest
    assert anchors[-1].tolist() == pytest.approx([6.5 / 7, 6.5 / 7])


def test_detections_by_hand():
    raw = torch.zeros(1, 12)
    raw[0, :6] = torch.tensor([22.4, 0, 44.8, 22.4, 0, 11.2])
    found = decode(raw, torch.tensor([[0.5, 0.5]]))[0]
    assert found[:4].tolist() == pytest.approx([0.5, 0.45, 0.7, 0.55])
    assert found[4:8].tolist() == pytest.approx([0.5, 0.55, 0.5, 0.5])


def test_overlapping_detections_are_averaged_by_score_and_others_ignored():
    boxes = torch.zeros(3, 12)
    boxes[0, :4] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    boxes[1, :4] = torch.tensor([0.0, 0.0, 1.0, 0.8])
    boxes[2, :4] = torch.tensor([2.0, 2.0, 3.0, 3.0])
    found = merge_best(boxes, torch.tensor([0.9, 0.6, 0.8]), 0.5)
    assert found[:4].tolist() == pytest.approx([0, 0, 1, (0.9 * 1 + 0.6 * 0.8) / 1.5])


def test_the_square_stands_upright_around_the_hips():
    upright = person_square(torch.tensor([[50.0, 60.0], [50.0, 20.0]]))
    assert upright.tolist() == [[0.0, 10.0], [100.0, 10.0], [0.0, 110.0]]  # 40 pixels x 1.25 to each side
    lying = person_square(torch.tensor([[50.0, 60.0], [90.0, 60.0]]))  # head to the right
    assert lying.tolist() == [[100.0, 10.0], [100.0, 110.0], [0.0, 10.0]]


def test_a_crop_of_the_whole_image_is_the_image():
    image = torch.rand(3, 16, 16)
    whole = torch.tensor([[0.0, 0.0], [16.0, 0.0], [0.0, 16.0]])
    assert torch.allclose(crop_square(image, whole, 16), image, atol=1e-6)
    turned = torch.tensor([[16.0, 0.0], [16.0, 16.0], [0.0, 0.0]])  # the image's right side on top
    assert torch.allclose(crop_square(image, turned, 16), torch.rot90(image, 1, (1, 2)), atol=1e-6)


def test_refinement_by_hand():
    heatmaps = torch.zeros(8, 8, 1)
    heatmaps[4, 5, 0], heatmaps[4, 6, 0] = 0.75, 0.25
    moved = refine(torch.tensor([[0.55, 0.55]]), heatmaps)  # cell (4, 4)
    assert moved[0].tolist() == pytest.approx([(0.75 * 5 + 0.25 * 6) / 8, 4 / 8])
    assert refine(torch.tensor([[0.55, 0.55]]), heatmaps * 0.5)[0].tolist() == pytest.approx([0.55, 0.55])  # too low
    assert refine(torch.tensor([[1.5, 0.5]]), heatmaps)[0].tolist() == [1.5, 0.5]  # outside


@pytest.fixture
def people(shared):
    records = Chalearn(str(shared / "people")).listing("test", maskdata=True).records
    annotated = [record for record in records if record.name.startswith("lspet_")][::9]
    return [collate([read_record(record, MaskData(), 128) for record in annotated])]


def test_accuracy_on_annotated_people_is_at_least_that_measured_before(shared, people):
    """Measured before, relative to the person's box: 77 % of people found, PCK@0.2 0.73."""
    scores = measure_accuracy(BlazePose(str(shared / "weights/blazepose")), people, 0)
    assert scores["found"]["value"] > 0.77
    assert scores["pck"]["value"] > 0.73
    assert scores["pck"]["low"] < scores["pck"]["value"] < scores["pck"]["high"]
    assert scores["pck_torso"]["value"] < scores["pck"]["value"]


def test_the_person_is_found_at_any_size_and_position(shared, people):
    """In an image of twice the size and with a border, the joints are at the same points of the person."""
    estimator = BlazePose(str(shared / "weights/blazepose"))
    images = (people[0].target[:6] + 1) / 2
    before = estimator(images)
    large = torch.nn.functional.interpolate(images, scale_factor=2, mode="bilinear")
    framed = torch.nn.functional.pad(large, (20, 60, 40, 0), mode="replicate")
    after = estimator(framed)
    both = before.found & after.found
    moved = (after.joints[..., :2] - torch.tensor([20.0, 40.0])) / 2
    assert both.sum() >= 4
    assert (moved - before.joints[..., :2]).norm(dim=-1)[both].median() < 3


def test_with_the_square_given_the_same_image_gives_the_same_joints(shared, people):
    estimator = BlazePose(str(shared / "weights/blazepose"))
    images = (people[0].target[:4] + 1) / 2
    before = estimator(images)
    after = estimator(images, before)
    assert torch.equal(before.joints, after.joints)
    assert torch.equal(before.found, after.found)


def test_no_person_is_found_in_a_grey_image(shared):
    poses = BlazePose(str(shared / "weights/blazepose"))(torch.full((1, 3, 64, 64), 0.5))
    assert not poses.found.any()


def test_files_that_cannot_be_used(tmp_path, shared, monkeypatch):
    with pytest.raises(InputError, match=r"no such file: .*pose_detection\.tflite"):
        find_models(str(tmp_path))
    with pytest.raises(InputError, match=r"pose\.model_dir is missing: give pose\.model_dir=DIR"):
        find_models(None)
    for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
        (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(InputError, match=r"pose_detection\.tflite: not a TensorFlow Lite model"):
        BlazePose(str(tmp_path))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"pip install 'pose-inpaint\[pose\]'"):
        BlazePose(str(shared / "weights/blazepose"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"min_detection": 0}, "min_detection=0"),
        ({"min_presence": math.nan}, "min_presence=nan"),
        ({"looks": 0}, "looks=0"),
    ],
)
def test_arguments_out_of_range(arguments, says):
    with pytest.raises(InputError, match=says):
        BlazePose("anywhere", **arguments)
