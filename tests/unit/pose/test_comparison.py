import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.errors import InputError
from pose_inpaint.metrics import PCK, WNJD, PeopleFound
from pose_inpaint.pose.comparison import PoseJudge, Reference, masked_joints
from pose_inpaint.pose.distances import correct_keypoints, person_scale, relative_distance
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.types import Batch, InpaintingOutput

NOWHERE = [[0.0, 0.0, 0.0]] * 11


class Told:
    """Estimator with preset answers, selected by the grey value of an image's first pixel (0..255)."""

    name, joint_names, device = "told", JOINTS, torch.device("cpu")

    def __init__(self, answers):
        self.answers, self.asked, self.near = answers, 0, []

    def __call__(self, images, near=None):
        self.asked += len(images)
        self.near.append(near)
        told = [self.answers[round(255 * float(image[0, 0, 0]))] for image in images]
        joints = torch.stack([torch.zeros(14, 3) if each is None else torch.tensor(each + NOWHERE) for each in told])
        found = torch.tensor([each is not None for each in told])
        return Poses(joints, found, torch.zeros(len(told), 3, 2))


def image(grey):
    return torch.full((1, 3, 32, 40), grey / 127.5 - 1)


@pytest.fixture(autouse=True)
def _empty_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path))


ORIGINAL = [[10.0, 10.0, 1.0], [20.0, 10.0, 0.5], [10.0, 30.0, 0.25]]  # a box of 10 x 20 pixels: scale 20
RESTORED = [[10.0, 12.0, 1.0], [24.0, 13.0, 1.0], [10.0, 70.0, 1.0]]  # off by 2, 5 and 40 pixels
BY_HAND = (1 * 0.1 + 0.5 * 0.25 + 0.25 * 1) / 1.75  # 40 pixels are two scales, clipped to one


def scored(answers, mask=None, kind="estimated", pose=None, metric=WNJD, region="whole"):
    judge = PoseJudge(Told(answers), kind)
    scores = metric("raw", region, judge=judge)
    batch = Batch(image(0), torch.zeros(1, 1, 32, 40) if mask is None else mask, ("a",), pose)
    scores.update(batch, InpaintingOutput(image(255)[:, None]))
    return scores.per_image().item()


def test_wnjd_by_hand():
    assert scored({0: ORIGINAL, 255: RESTORED}) == pytest.approx(BY_HAND)


def test_pck_by_hand():
    assert scored({0: ORIGINAL, 255: RESTORED}, metric=PCK) == pytest.approx(1 / 3)  # only the first is within 4 pixels


def test_a_person_not_found_counts_as_one_scale_for_every_joint():
    assert scored({0: ORIGINAL, 255: None}) == 1
    assert scored({0: ORIGINAL, 255: None}, metric=PCK) == 0
    assert scored({0: ORIGINAL, 255: None}, metric=PeopleFound) == 0
    assert scored({0: ORIGINAL, 255: RESTORED}, metric=PeopleFound) == 1


def test_only_masked_joints_count_in_holes():
    mask = torch.zeros(1, 1, 32, 40)
    mask[..., 9:11, 19:22] = 1  # rows and columns around the second joint, at x 20, y 10
    assert scored({0: ORIGINAL, 255: RESTORED}, mask, region="hole") == pytest.approx(0.25)
    assert scored({0: ORIGINAL, 255: RESTORED}, mask, region="known") == pytest.approx((0.1 + 0.25) / 1.25)
    for metric in (WNJD, PCK, PeopleFound):
        assert math.isnan(scored({0: ORIGINAL, 255: RESTORED}, region="hole", metric=metric))


def test_an_original_without_a_person_is_skipped():
    assert math.isnan(scored({0: None, 255: RESTORED}))
    judge = PoseJudge(Told({1: ORIGINAL, 2: None, 255: RESTORED}))
    metric = WNJD("raw", judge=judge)
    batch = Batch(torch.cat([image(1), image(2)]), torch.zeros(2, 1, 32, 40), ("a", "b"))
    metric.update(batch, InpaintingOutput(torch.cat([image(255)] * 2)[:, None]))
    found = metric.estimate(metric.per_image(), 0)
    assert (found["value"], found["n"]) == (pytest.approx(BY_HAND), 1)


def test_annotated_joints_weigh_alike():
    pose = torch.tensor([[[10.0, 10.0, 1.0], [20.0, 10.0, 1.0], [10.0, 30.0, 1.0], *NOWHERE]])
    found = scored({0: None, 255: RESTORED}, kind="annotated", pose=pose)
    assert found == pytest.approx((0.1 + 0.25 + 1) / 3)


def test_an_annotated_reference_needs_annotations():
    with pytest.raises(InputError, match=r"pose\.reference=annotated: a has no joints in joints\.json"):
        scored({0: ORIGINAL, 255: RESTORED}, kind="annotated")
    with pytest.raises(InputError, match=r"pose\.reference=guessed: not one of estimated, annotated"):
        PoseJudge(Told({}), "guessed")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.1, 50), st.floats(-100, 100))
def test_distances_do_not_change_with_the_images_scale_and_position(scale, shift):
    reference, found = (torch.tensor([each], dtype=torch.float64) for each in (ORIGINAL, RESTORED))
    change = torch.tensor([scale, scale, 1.0], dtype=torch.float64)
    move = torch.tensor([shift, shift, 0.0], dtype=torch.float64)
    before = relative_distance(found, reference)
    after = relative_distance(found * change + move, reference * change + move)
    assert after.tolist()[0] == pytest.approx(before.tolist()[0], rel=1e-6)


def test_the_restored_image_is_looked_at_where_the_person_was():
    judge = PoseJudge(Told({0: ORIGINAL, 255: RESTORED}))
    batch = Batch(image(0), torch.zeros(1, 1, 32, 40), ("a",))
    reference = judge.reference(batch)
    judge.compare(image(255), reference, torch.zeros(1, 14, dtype=torch.bool))
    assert judge.estimator.near[-1] is reference.near


def test_originals_are_estimated_once():
    answers = {0: ORIGINAL, 1: None, 255: RESTORED}
    first, second = PoseJudge(Told(answers)), PoseJudge(Told(answers))
    batch = Batch(torch.cat([image(0), image(1)]), torch.zeros(2, 1, 32, 40), ("a", "b"))
    before = first.reference(batch)
    after = second.reference(batch)
    assert (first.estimator.asked, second.estimator.asked) == (2, 0)
    assert torch.equal(before.joints, after.joints)
    assert before.usable.tolist() == after.usable.tolist() == [True, False]


def test_another_estimator_does_not_use_the_cached_poses():
    batch = Batch(image(0), torch.zeros(1, 1, 32, 40), ("a",))
    PoseJudge(Told({0: ORIGINAL})).reference(batch)
    other = Told({0: RESTORED})
    other.name = "told otherwise"
    assert PoseJudge(other).reference(batch).joints[0, 1].tolist() == RESTORED[1]


def test_a_damaged_cache_file_is_replaced(tmp_path):
    batch = Batch(image(0), torch.zeros(1, 1, 32, 40), ("a",))
    PoseJudge(Told({0: ORIGINAL})).reference(batch)
    (file,) = tmp_path.rglob("*.json")
    file.write_text(file.read_text()[:40])
    judge = PoseJudge(Told({0: ORIGINAL}))
    assert judge.reference(batch).joints[0, 0].tolist() == ORIGINAL[0]
    assert judge.estimator.asked == 1


def test_scale_is_the_longer_side_of_the_bounding_box_of_present_joints():
    joints = torch.tensor([[[10.0, 10.0, 1.0], [20.0, 10.0, 0.5], [10.0, 99.0, 0.0]]])
    assert person_scale(joints).tolist() == [10]
    assert person_scale(torch.zeros(1, 3, 3)).isnan().all()


def test_pck_counts_annotated_joints_of_people_found():
    reference = torch.tensor([ORIGINAL, ORIGINAL])
    reference[0, 1, 2] = 0
    people = torch.tensor([RESTORED, RESTORED, RESTORED])
    reference = torch.cat([reference, torch.zeros(1, 3, 3)])  # the third has no scale and no joint that counts
    found = torch.tensor([True, False, True])
    right, counted = correct_keypoints(people, found, reference, person_scale(reference))
    assert right.int().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert counted.int().tolist() == [[1, 0, 1], [1, 1, 1], [0, 0, 0]]


def test_a_joint_is_masked_if_the_pixel_that_it_lies_in_is():
    mask = torch.zeros(1, 1, 4, 6)
    mask[0, 0, 1, 2] = 1  # row 1, column 2
    joints = torch.tensor([[[2.0, 1.0, 1], [2.99, 1.99, 1], [3.0, 1.5, 1], [1.5, 2.5, 1], [2.5, 0.99, 1]]])
    assert masked_joints(joints, mask).tolist() == [[True, True, False, False, False]]


def test_a_joint_outside_the_image_is_not_masked():
    joints = torch.tensor([[[0.0, 0.0, 1], [5.9, 3.9, 1], [-0.1, 2, 1], [6, 2, 1], [3, -0.1, 1], [3, 4, 1]]])
    assert masked_joints(joints, torch.ones(1, 1, 4, 6)).tolist() == [[True, True, False, False, False, False]]


def test_reference_excludes_joints_that_the_estimator_lacks():
    class NoHead(Told):
        joint_names = tuple(name for name in JOINTS if name != "head_top")

    pose = torch.ones(1, 14, 3)
    pose[0, 0] = torch.tensor([30.0, 30.0, 1.0])
    reference = PoseJudge(NoHead({0: ORIGINAL}), "annotated").reference(
        Batch(image(0), torch.zeros(1, 1, 32, 40), ("a",), pose)
    )
    assert isinstance(reference, Reference)
    assert reference.joints[0, JOINTS.index("head_top"), 2] == 0
    assert reference.joints[0, :13, 2].eq(1).all()
