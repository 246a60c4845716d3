"""Validation of a pose network, by hand."""

import pytest
import torch
from torch import nn

from pose_inpaint.pose.heatmaps import draw_heatmaps
from pose_inpaint.pose.hourglass import HourglassEstimator
from pose_inpaint.pose.hourglass_network import StackedHourglass
from pose_inpaint.pose.lightning_module import PoseModule
from pose_inpaint.types import Batch


class Drawn(nn.Module):
    """Heatmaps of the given joints in the last stack, and empty ones before; keeps the images."""

    def __init__(self):
        super().__init__()
        self.joints, self.seen = None, []

    def forward(self, images):
        self.seen.append(images)
        drawn = draw_heatmaps(self.joints, images.shape[-2] // 4, images.shape[-1] // 4, 4)
        return torch.stack([torch.zeros_like(drawn), drawn], dim=1)


def batch(joints):
    count = len(joints)
    return Batch(torch.full((count, 3, 32, 48), 0.5), torch.zeros(count, 1, 32, 48), ("a",) * count, joints)


def test_validation_counts_the_joints_of_all_images(monkeypatch):
    network, logged = Drawn(), {}
    module = PoseModule(network, 1.0, 0.0, {}, {})
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value)}))
    # A person of 40 pixels: joints count as right up to 8 pixels off.
    person = torch.tensor([[4.0, 6, 1], [44, 10, 1], [24, 28, 1], [30, 8, 0]])
    off = torch.tensor([[7.5, 0, 0], [0, 8.5, 0], [0, 0, 0], [0, 0, 0]])
    for _ in range(2):  # the second epoch begins its own count
        module.on_validation_epoch_start()
        network.joints = torch.stack([person + off, person])
        module.validation_step(batch(person.expand(2, -1, -1)), 0)  # 2 and 3 of 3; the fourth joint is not annotated
        network.joints = person[None, [2, 0, 1, 3]]
        module.validation_step(batch(person[None]), 1)  # none of 3
        module.on_validation_epoch_end()
        assert logged == {"val/pck": pytest.approx(5 / 9)}
    assert all(images.eq(0.75).all() for images in network.seen)  # in [0, 1]


@pytest.mark.parametrize(("confidence", "found"), [(0.25, True), (0.2, False)])
def test_a_person_is_found_from_the_mean_confidence_on(tiny_pose, monkeypatch, confidence, found):
    estimator = HourglassEstimator(str(tiny_pose), min_confidence=0.25)
    heatmaps = torch.zeros(1, 2, 14, 8, 12)
    heatmaps[:, 0] = 1  # of the first stack, which doesn't count
    heatmaps[:, 1, :7, 3, 4] = 2 * confidence  # half of the joints
    monkeypatch.setattr(StackedHourglass, "forward", lambda *_: heatmaps)
    poses = estimator(torch.zeros(1, 3, 32, 48))
    assert poses.found.tolist() == [found]
    assert poses.joints[0, 0].tolist() == pytest.approx([18, 14, 2 * confidence])
    assert poses.squares[0].tolist() == [[0, 0], [48, 0], [0, 32]]
