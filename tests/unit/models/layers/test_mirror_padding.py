import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.models.layers.mirror_padding import MirrorConv2d, elu_block, enlarging_block, mirror_pad


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 16))
def test_padding_is_numpys_symmetric_one(height, width, margin):
    image = torch.arange(1.0, height * width + 1).view(1, 1, height, width)
    expected = np.pad(image[0, 0].numpy(), margin, mode="symmetric")
    assert (mirror_pad(image, margin)[0, 0].numpy() == expected).all()


def test_convolution_by_hand():
    convolution = MirrorConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    # The first window sees rows 0, 0, 1 and columns 0, 0, 1: 0 + 0 + 1, twice, and 4 + 4 + 5. The stride is 2.
    assert convolution(image)[0, 0].tolist() == [[15, 30], [75, 90]]


def test_a_constant_image_stays_constant_up_to_its_edges():
    block = elu_block(2, 3, dilation=4)
    result = block(torch.ones(1, 2, 6, 7))
    assert result.shape == (1, 3, 6, 7)
    assert torch.allclose(result, result[..., :1, :1].expand_as(result), atol=1e-6)


def test_enlarging_doubles_the_sides():
    assert enlarging_block(2, 3)(torch.rand(1, 2, 5, 4)).shape == (1, 3, 10, 8)
