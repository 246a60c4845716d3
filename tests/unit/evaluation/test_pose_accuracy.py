"""Accuracy of a pose estimator and the floor of the pose scores, by hand."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.data.joints import JOINTS, TORSO
from pose_inpaint.evaluation.pose_accuracy import describe_accuracy, measure_accuracy
from pose_inpaint.evaluation.pose_bounds import resave
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.types import Batch


class Preset:
    """Gives the poses of one batch after the other; keeps the images."""

    name = "preset"

    def __init__(self, *answers, joint_names=JOINTS):
        self.answers, self.seen, self.joint_names = list(answers), [], joint_names

    def __call__(self, images, near=None):
        self.seen.append(images)
        joints, found = self.answers.pop(0)
        return Poses(joints, found, torch.zeros(len(joints), 3, 2))


def person(torso):
    """Box of 100 x 40 pixels, whose left shoulder and right hip are `torso` pixels apart; the right wrist is absent."""
    joints = torch.zeros(14, 3)
    joints[:, 0], joints[:, 1], joints[:, 2] = torch.linspace(10, 110, 14), 20.0, 1.0
    joints[TORSO[0], :2] = torch.tensor([50.0, 60])
    joints[TORSO[1], :2] = torch.tensor([50.0, 60 - torso])
    joints[6] = torch.tensor([0.0, 0, 0])
    return joints


def moved(joints, *pixels):
    """The joints, as many of them as numbers moved to the right by so many pixels."""
    result = joints.clone()
    for joint, by in enumerate(pixels):
        result[joint, 0] += by
    return result


def batch(*poses):
    return Batch(torch.full((len(poses), 3, 64, 128), -0.5), torch.zeros(len(poses), 1, 64, 128),
                 tuple("abc"[: len(poses)]), torch.stack(poses))  # fmt: skip


def test_accuracy_over_the_box_and_over_the_torso_by_hand():
    lacking = person(40.0)
    lacking[TORSO[0], 2] = 0  # without a torso
    first, second = person(30.0), person(40.0)
    # Up to 20 pixels are right over the box of 100, up to 6 over the torso of 30, up to 8 over that of 40.
    answers = (torch.stack([moved(first, 5, 7, 19, 21), moved(second, 7, 9)]), torch.tensor([True, False]))
    estimator = Preset(answers, (moved(lacking, 30, 30)[None], torch.tensor([True])))
    accuracy = measure_accuracy(estimator, [batch(first, second), batch(lacking)], 0)
    assert (accuracy["pck"]["n"], accuracy["pck_torso"]["n"], accuracy["found"]["n"]) == (3, 2, 3)
    assert accuracy["pck"]["value"] == pytest.approx((12 + 0 + 10) / (13 + 13 + 12))
    assert accuracy["pck_torso"]["value"] == pytest.approx((10 + 0) / 26)
    assert accuracy["found"]["value"] == pytest.approx(2 / 3)
    assert all(images.eq(0.25).all() for images in estimator.seen)  # in [0, 1]
    text = describe_accuracy({**accuracy, "milliseconds": 12.4})
    assert text.startswith("PCK@0.2 0.579 [")
    assert "0.385 [" in text
    assert text.endswith("over the torso; 67% of 3 people found; 12 ms an image")


def test_joints_that_the_estimator_lacks_do_not_count():
    one = person(30.0)
    wrong = moved(one, *[500.0] * 14)
    names = [name for name in JOINTS if name not in ("head_top", "left_wrist")]
    wrong[:11], wrong[12] = one[:11], one[12]
    accuracy = measure_accuracy(Preset((wrong[None], torch.tensor([True])), joint_names=names), [batch(one)], 0)
    assert accuracy["pck"]["value"] == 1


def test_originals_are_saved_again_at_the_quality():
    image = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    saved = [np.asarray(((each + 1) * 127.5).round().byte().permute(1, 2, 0)) for each in image]
    for quality in (30, 90):
        for ours, array in zip(resave(image, quality), saved, strict=True):
            file = io.BytesIO()
            Image.fromarray(array).save(file, "JPEG", quality=quality)
            theirs = np.asarray(Image.open(file)) / 127.5 - 1
            np.testing.assert_allclose(ours.permute(1, 2, 0).numpy(), theirs, atol=1e-6)
