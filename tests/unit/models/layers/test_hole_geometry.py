import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pose_inpaint.models.layers.hole_geometry import distance_to_known, label_holes


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    values = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return torch.tensor(values, dtype=torch.float32).view(1, 1, height, width)


@given(masks())
def test_labels_are_scipys(mask):
    ours = label_holes(mask)[0].numpy()
    theirs, count = ndimage.label(mask[0, 0].numpy())
    assert ((ours > 0) == (theirs > 0)).all()
    assert len(set(zip(ours[theirs > 0].tolist(), theirs[theirs > 0].tolist(), strict=True))) == count
    assert len(np.unique(ours[ours > 0])) == count


def test_images_of_a_batch_are_labelled_separately():
    mask = torch.zeros(2, 1, 2, 4)
    mask[0, 0, 0, 0] = mask[0, 0, :, 3] = mask[1, 0, 1, 1] = 1
    assert label_holes(mask).tolist() == [[[1, 0, 0, 8], [0, 0, 0, 8]], [[0, 0, 0, 0], [0, 6, 0, 0]]]


@given(masks())
def test_distance_is_scipys(mask):
    distance = distance_to_known(mask)[0, 0].numpy()
    if mask.all():
        assert (distance == sum(mask.shape[-2:])).all()
    else:
        assert (distance == ndimage.distance_transform_cdt(mask[0, 0].numpy(), metric="taxicab")).all()


def test_distance_in_a_rectangle_is_that_to_its_nearest_side():
    mask = torch.zeros(1, 1, 7, 8)
    mask[0, 0, 1:6, 1:7] = 1
    assert distance_to_known(mask)[0, 0, 3].tolist() == [0, 1, 2, 3, 3, 2, 1, 0]
