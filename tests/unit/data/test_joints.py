import pytest
import torch

from pose_inpaint.data.joints import JOINTS, MIRRORED, to_common
from pose_inpaint.data.mannequins.skeleton import MPII_JOINTS
from pose_inpaint.errors import InputError
from pose_inpaint.pose.blazepose import LANDMARK_NAMES
from pose_inpaint.pose.keypoint_rcnn import COCO_JOINTS


def numbered(names):
    return torch.tensor([[10.0 * n, 100.0 * n, 0.5 + n / 100] for n in range(len(names))])


@pytest.mark.parametrize("names", [JOINTS, MPII_JOINTS, LANDMARK_NAMES, COCO_JOINTS])
def test_joints_of_every_set_keep_their_names(names):
    joints = numbered(names)
    common = to_common(names, joints)
    for name in set(JOINTS) & set(names):
        assert common[JOINTS.index(name)].tolist() == joints[list(names).index(name)].tolist()


def test_a_derived_neck_has_the_lower_confidence_of_the_shoulders():
    joints = numbered(COCO_JOINTS)
    left, right = (joints[COCO_JOINTS.index(f"{side}_shoulder")] for side in ("left", "right"))
    neck = to_common(COCO_JOINTS, joints)[JOINTS.index("neck")]
    assert neck.tolist() == [*((left + right) / 2)[:2].tolist(), min(left[2], right[2])]


def test_a_missing_joint_has_zero_confidence():
    assert to_common(COCO_JOINTS, numbered(COCO_JOINTS))[JOINTS.index("head_top")].tolist() == [0, 0, 0]


def test_mirroring_twice_changes_nothing():
    assert [MIRRORED[MIRRORED[index]] for index in range(14)] == list(range(14))
    assert JOINTS[MIRRORED[JOINTS.index("left_knee")]] == "right_knee"
    assert MIRRORED[JOINTS.index("neck")] == JOINTS.index("neck")


def test_an_unknown_set_is_rejected():
    with pytest.raises(InputError, match=r"joint_names=\['l_knee'\]: unknown set of joints, right_hip is not among"):
        to_common(["l_knee"], torch.zeros(1, 3))
