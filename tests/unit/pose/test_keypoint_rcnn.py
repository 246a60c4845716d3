import pytest
import torch
from torchvision.models.detection import KeypointRCNN as Network
from torchvision.models.detection import keypointrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from pose_inpaint.errors import InputError
from pose_inpaint.pose import keypoint_rcnn
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


def small_network(**_):
    """torchvision's network on a smaller backbone, which sees images as small as they are and few places in them."""
    few = {"rpn_post_nms_top_n_test": 20, "box_detections_per_img": 5}
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    return Network(backbone, num_classes=2, num_keypoints=17, min_size=64, max_size=64, **few)


def test_the_smaller_network_is_torchvisions_but_for_the_backbone():
    """So that what is shown with the one below holds of the other."""
    backbone = ("backbone.body", "backbone.fpn.inner_blocks")
    shapes = []
    with torch.device("meta"):
        for network in (small_network(), keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)):
            state = network.state_dict()
            shapes.append({name: value.shape for name, value in state.items() if not name.startswith(backbone)})
    assert shapes[0] == shapes[1]
    assert keypoint_rcnn.keypointrcnn_resnet50_fpn is keypointrcnn_resnet50_fpn


def test_the_network_itself_answers_in_our_form(tmp_path, monkeypatch):
    """Untrained weights: the form of the answer is claimed, not its truth."""
    monkeypatch.setattr(keypoint_rcnn, "keypointrcnn_resnet50_fpn", small_network)
    torch.manual_seed(0)
    torch.save(small_network().state_dict(), tmp_path / "w.pth")
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
