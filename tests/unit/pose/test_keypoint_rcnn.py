import pytest
import torch
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from pose_inpaint.errors import InputError
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.pose.keypoint_rcnn import KeypointRCNN, choose_person, read_state

BOXES = torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40], [21, 21, 41, 41]])
SCORES = torch.tensor([0.9, 0.6, 0.3])


def near(left, top, right, bottom):
    corners = torch.tensor([[[left, top], [right, top], [left, bottom]]], dtype=torch.float32)
    return Poses(torch.zeros(1, 14, 3), torch.ones(1, dtype=torch.bool), corners)


def test_the_most_confident_person_is_chosen():
    assert choose_person(BOXES, SCORES, 0.5, None) == 0


def test_with_a_box_given_the_person_there_is_chosen():
    assert choose_person(BOXES, SCORES, 0.5, near(19, 19, 39, 39)) == 1
    assert choose_person(BOXES, SCORES, 0.2, near(21, 21, 41, 41)) == 2


def test_no_confident_person_or_none_in_the_box_is_none():
    assert choose_person(BOXES, SCORES, 0.95, None) is None
    assert choose_person(BOXES, SCORES, 0.5, near(60, 60, 90, 90)) is None


def test_the_network_itself_answers_in_our_form(tmp_path):
    """Untrained weights: only the form of the output is tested."""
    torch.manual_seed(0)
    torch.save(keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict(), tmp_path / "w.pth")
    estimator = KeypointRCNN(str(tmp_path / "w.pth"), min_confidence=0.01)
    (tmp_path / "w.pth").unlink()
    found = estimator(torch.rand(2, 3, 64, 48))
    assert found.joints.shape == (2, 14, 3)
    assert found.squares.shape == (2, 3, 2)
    assert found.joints.isfinite().all()
    assert estimator.name.startswith("keypoint_rcnn ")
    state = dict(estimator.network.state_dict())
    last = list(state)[-1]
    torch.save({**state, last: state[last] + 1}, tmp_path / "w.pth")
    other = KeypointRCNN(str(tmp_path / "w.pth"), min_confidence=0.01)
    assert other.name != estimator.name  # cached poses of one are not used for the other


def test_weights_that_cannot_be_used(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("offline")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=r"could not download COCO's \(offline\); give pose\.weights=FILE"):
        read_state(None)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.pth: can't be read"):
        read_state(str(tmp_path / "text.pth"))
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: not weights of Keypoint R-CNN"):
        KeypointRCNN(str(tmp_path / "other.pth"))
    with pytest.raises(InputError, match="min_confidence=0"):
        KeypointRCNN(None, min_confidence=0)
