import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.types import EMPTY, Batch, ImageKind, InpaintingOutput, check_choice, region_weight


@pytest.fixture
def batch():
    mask = torch.zeros(1, 1, 2, 3)
    mask[0, 0, 0, 1] = 1
    return Batch(torch.full((1, 3, 2, 3), 0.5), mask, ("a.png",))


def test_known_is_the_target_with_black_holes(batch):
    assert batch.known[0, 0].tolist() == [[0.5, EMPTY, 0.5], [0.5] * 3]


def test_known_is_finite_in_a_blind_split():
    batch = Batch(torch.tensor([[[[torch.nan, 0.25]]]]).expand(1, 3, 1, 2), torch.tensor([[[[1.0, 0.0]]]]), ("a",))
    assert batch.known[0, 0].tolist() == [[EMPTY, 0.25]]


def test_composite_takes_raw_in_holes_only(batch):
    output = InpaintingOutput(raw=torch.full((1, 1, 3, 2, 3), -0.25))
    assert output.composite(batch)[0, 0, 0].tolist() == [[0.5, -0.25, 0.5], [0.5] * 3]
    assert output.image("raw", batch)[0, 0, 0].tolist() == [[-0.25] * 3] * 2


def test_the_coarse_image_is_available_by_name_and_detached(batch):
    raw = torch.zeros(1, 1, 3, 2, 3, requires_grad=True)
    output = InpaintingOutput(raw, coarse=raw + 0.5)
    assert output.image("coarse", batch)[0, 0, 0].tolist() == [[0.5] * 3] * 2
    assert not output.detach().coarse.requires_grad
    with pytest.raises(InputError, match="image=coarse: the model has no coarse output"):
        InpaintingOutput(raw).image("coarse", batch)


def test_composite_keeps_samples_separate(batch):
    raw = torch.stack([torch.zeros(3, 2, 3), torch.ones(3, 2, 3)])[None]
    assert InpaintingOutput(raw).composite(batch)[0, :, 0, 0, 1].tolist() == [0, 1]


def test_regions_partition_the_image(batch):
    hole, known = region_weight(batch.mask, "hole"), region_weight(batch.mask, "known")
    assert hole.sum() == 1
    assert (hole + known == region_weight(batch.mask, "whole")).all()


def test_detached_output_has_no_graph(batch):
    raw = torch.zeros(1, 1, 3, 2, 3, requires_grad=True) * 2
    mask = torch.zeros(1, 1, 2, 3, requires_grad=True) * 2
    detached = InpaintingOutput(raw, mask).detach()
    assert not detached.raw.requires_grad
    assert not detached.predicted_mask.requires_grad


def test_moving_keeps_names_and_pose(batch):
    moved = Batch(batch.target, batch.mask, batch.names, pose=torch.ones(1, 14, 3)).to("meta")
    assert moved.names == ("a.png",)
    assert {moved.target.device.type, moved.mask.device.type, moved.pose.device.type} == {"meta"}


def test_unknown_choice_names_key_value_and_choices():
    with pytest.raises(InputError, match=r"loss\.x=sketch: not one of raw, composite"):
        check_choice("loss.x", "sketch", ImageKind)


def test_input_errors_are_one_line():
    assert str(InputError("two\n  lines")) == "two lines"
