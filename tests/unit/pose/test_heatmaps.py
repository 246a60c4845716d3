import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.pose.heatmaps import draw_heatmaps, find_joints
from pose_inpaint.pose.lightning_module import heatmap_loss


def test_heatmaps_by_hand():
    heatmaps = draw_heatmaps(torch.tensor([[[6.0, 10.0, 1.0]]]), 4, 3, stride=4)
    assert heatmaps.shape == (1, 1, 4, 3)
    assert heatmaps[0, 0, 2, 1].item() == 1  # the centre of cell (row 2, column 1) is (x 6, y 10)
    assert heatmaps[0, 0, 2, 2].item() == pytest.approx(torch.tensor(-0.5).exp().item())
    assert heatmaps[0, 0, 1, 0].item() == pytest.approx(torch.tensor(-1.0).exp().item())


@given(st.floats(8, 80), st.floats(8, 56))
def test_joints_are_found_where_they_were_drawn(x, y):
    joints = torch.tensor([[[x, y, 1.0]]])
    found = find_joints(draw_heatmaps(joints, 16, 22, stride=4), 4)
    assert found[0, 0, :2].tolist() == pytest.approx([x, y], abs=0.02)


@pytest.mark.parametrize(("x", "y"), [(1.0, 1.0), (63.0, 2.0), (0.0, 64.0)])
def test_joints_at_the_edge_stay_within_a_cell(x, y):
    found = find_joints(draw_heatmaps(torch.tensor([[[x, y, 1.0]]]), 16, 16, stride=4), 4)[0, 0]
    assert abs(found[0] - x) <= 2
    assert abs(found[1] - y) <= 2


@pytest.mark.parametrize(("row", "column"), [(0, 0), (6, 9), (0, 4), (3, 9), (6, 0)])
def test_at_the_edge_a_joint_is_in_the_middle_of_its_cell(row, column):
    heatmaps = torch.full((1, 1, 7, 10), 0.1)
    heatmaps[..., row, column] = 0.8
    heatmaps[..., row, column - 1 if column else 1] = heatmaps[..., row - 1 if row else 1, column] = 0.7
    x, y, confidence = find_joints(heatmaps, 4)[0, 0].tolist()
    assert confidence == pytest.approx(0.8)
    if column in (0, 9):
        assert x == 4 * column + 2
    if row in (0, 6):
        assert y == 4 * row + 2


def test_a_plateau_and_almost_nothing_have_no_maximum_between_cells():
    heatmaps = torch.zeros(1, 1, 7, 10)
    heatmaps[..., 3, 5] = 1e-7
    assert find_joints(heatmaps, 4)[0, 0].tolist() == pytest.approx([22, 14, 1e-7])


def test_confidence_is_the_peak():
    heatmaps = draw_heatmaps(torch.tensor([[[30.0, 30.0, 1.0]]]), 16, 16, stride=4)
    assert find_joints(heatmaps * 0.3, 4)[0, 0, 2].item() == pytest.approx(0.3 * heatmaps.max().item())


def test_empty_heatmaps_have_a_loss_of_1_per_stack_and_true_ones_of_0():
    joints = torch.tensor([[[20.0, 30.0, 1.0], [40.0, 8.0, 1.0]], [[3.0, 3.0, 0.0], [10.0, 60.0, 1.0]]])
    true = draw_heatmaps(joints, 16, 16, stride=4)[:, None].repeat(1, 2, 1, 1, 1)
    assert heatmap_loss(torch.zeros_like(true), joints).item() == pytest.approx(2)
    assert heatmap_loss(true, joints).item() == 0


def test_joints_that_are_not_annotated_do_not_count():
    joints = torch.tensor([[[20.0, 30.0, 1.0], [40.0, 8.0, 0.0]]])
    heatmaps = torch.zeros(1, 1, 2, 16, 16)
    before = heatmap_loss(heatmaps, joints)
    heatmaps[:, :, 1] = 5
    assert heatmap_loss(heatmaps, joints) == before
