import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pose_inpaint.models.layers.batchnorm_recalibration import recalibrate
from pose_inpaint.models.layers.same_padding import SameConv2d, conv_block, same_padding, upsampling_block
from pose_inpaint.models.networks.unet2018 import Generator
from pose_inpaint.types import Batch


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "dilation", "expected"),
    [
        (128, 5, 1, 1, (2, 2)),
        (128, 3, 2, 1, (0, 1)),  # TensorFlow puts the odd pixel at the end
        (128, 5, 2, 1, (1, 2)),
        (7, 3, 2, 1, (1, 1)),
        (32, 3, 1, 16, (16, 16)),
    ],
)
def test_same_padding_by_hand(length, kernel, stride, dilation, expected):
    assert same_padding(length, kernel, stride, dilation) == expected


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(1, 4))
def test_same_padding_gives_the_rounded_up_length(length, kernel, stride, dilation):
    before, after = same_padding(length, kernel, stride, dilation)
    covered = (kernel - 1) * dilation + 1
    assert (length + before + after - covered) // stride + 1 >= -(-length // stride)
    assert 0 <= after - before <= 1


def test_strided_same_convolution_by_hand():
    convolution = SameConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    # Windows start at rows and columns 0 and 2; beyond the last row and column there are zeros.
    assert convolution(image)[0, 0].tolist() == [[45, 39], [66, 50]]


def test_block_is_convolution_normalisation_rectifier():
    block = conv_block(3, 5, 3, dilation=4)
    assert [type(layer).__name__ for layer in block] == ["SameConv2d", "BatchNorm2d", "ReLU"]
    assert block[0].bias is None
    assert (block[1].eps, block[1].momentum) == (1e-3, 0.01)  # decay 0.99
    assert block(torch.randn(2, 3, 9, 8)).shape == (2, 5, 9, 8)


def test_upsampling_doubles():
    assert upsampling_block(4, 2)(torch.randn(1, 4, 5, 6)).shape == (1, 2, 10, 12)


def test_batch_statistics_also_in_evaluation():
    block = conv_block(3, 4, 3, batch_statistics=True).eval()
    images = torch.randn(8, 3, 6, 6) * 7 + 3
    normalised = block[1](block[0](images))
    assert normalised.mean((0, 2, 3)).abs().max() < 1e-5
    assert not list(block.buffers())


def test_recalibrated_statistics_are_plain_averages_over_the_batches():
    network = Generator(2).eval()
    batches = []
    for side in (1, 3, 7):
        mask = torch.zeros(3, 1, 8, 12)
        mask[..., 1 : 1 + side, 2 : 4 + side] = 1
        batches.append(Batch(torch.rand(3, 3, 8, 12) * 2 - 1, mask, ("a", "b", "c")))
    recalibrate(network, batches, "cpu")
    convolution, norm = network.conv1[0], network.conv1[1]
    # From the known pixels and the mask alone: a method never sees the target.
    outputs = [convolution(torch.cat([batch.known, batch.mask], 1)) for batch in batches]
    expected = torch.stack([output.mean((0, 2, 3)) for output in outputs]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected)
    assert norm.momentum == 0.01
    assert not network.training
