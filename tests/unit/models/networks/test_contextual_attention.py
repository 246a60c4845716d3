import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.networks.contextual_attention import Discriminators, Generator


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def convolution(side, inputs, outputs):
    return side * side * inputs * outputs + outputs


# Yu et al. 2018, appendix A: K kernel side, S stride (or D dilation), C channels.
ENCODER = [(5, 1, 1, 32), (3, 2, 1, 64), (3, 1, 1, 64), (3, 2, 1, 128), (3, 1, 1, 128), (3, 1, 1, 128)]
BRANCH = [(5, 1, 1, 32), (3, 2, 1, 32), (3, 1, 1, 64), (3, 2, 1, 128), (3, 1, 1, 128), (3, 1, 1, 128)]
DILATED = [(3, 1, rate, 128) for rate in (2, 4, 8, 16)]
DECODER = [(3, 1, 1, c) for c in (128, 128, 64, 64, 32, 16, 3)]


def layers(network):
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    return [(c.kernel_size[0], c.stride[0], c.dilation[0], c.out_channels) for c in convolutions]


def test_layers_are_the_appendixs():
    network = Generator()
    assert layers(network.coarse) == ENCODER + DILATED + DECODER
    assert layers(network.dilated_branch) == BRANCH + DILATED
    assert layers(network.attention_branch) == BRANCH
    assert layers(network.after_attention) == [(3, 1, 1, 128)] * 2
    assert layers(network.refinement) == DECODER


def test_parameter_count_is_the_layers_sum():
    def count(first, specification):
        total, inputs = 0, first
        for side, _, _, outputs in specification:
            total += convolution(side, inputs, outputs)
            inputs = outputs
        return total

    coarse = count(5, ENCODER + DILATED + DECODER)
    refinement = count(5, BRANCH + DILATED) + count(5, BRANCH) + count(128, [(3, 1, 1, 128)] * 2) + count(256, DECODER)
    assert parameters(Generator()) == coarse + refinement == 3_712_198
    assert parameters(Generator().coarse) == coarse == 1_448_227


def test_the_discriminators_are_the_appendixs():
    discriminator = Discriminators(size=256)
    assert layers(discriminator.whole) == [(5, 2, 1, c) for c in (64, 128, 256, 256)]
    assert layers(discriminator.local) == [(5, 2, 1, c) for c in (64, 128, 256, 512)]
    assert (discriminator.patch, discriminator.whole[-1].in_features, discriminator.local[-1].in_features) == (
        128,
        256 * 256,
        512 * 64,
    )


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 40), (64, 24)])
def test_any_multiple_of_eight_goes_through(height, width):
    torch.manual_seed(0)
    mask = torch.zeros(2, 1, height, width)
    mask[..., :4, 2:5] = 1
    output = Generator(2)(torch.rand(2, 3, height, width) * 2 - 1, mask)
    assert output.raw.shape == output.coarse.shape == (2, 1, 3, height, width)
    assert max(output.raw.abs().max(), output.coarse.abs().max()) <= 1


def test_other_sizes_raise():
    with pytest.raises(InputError, match="36x40 pixels: both sides must be multiples of 8"):
        Generator(2)(torch.zeros(1, 3, 36, 40), torch.zeros(1, 1, 36, 40))


def test_the_refinement_sees_the_coarse_output_only_in_holes():
    torch.manual_seed(0)
    network, seen = Generator(2), []
    network.dilated_branch.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    known, mask = torch.rand(1, 3, 16, 24), torch.zeros(1, 1, 16, 24)
    mask[..., 4:9, 4:9] = mask[..., 1:3, 15:23] = 1
    output = network(known, mask)
    assert torch.equal(seen[0][:, :3], torch.where(mask > 0, output.coarse[:, 0], known))
    assert torch.equal(seen[0][:, 3:], torch.cat([torch.ones_like(mask), mask], 1))


def test_masked_pixels_change_nothing():
    network, mask = Generator(2), torch.zeros(1, 1, 16, 24)
    mask[..., 3:9, 4:12] = mask[..., 11:14, 17:22] = 1
    known = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(network(known, mask).raw, network(torch.where(mask > 0, 0.7, known), mask).raw)


def test_each_discriminator_has_its_own_score():
    torch.manual_seed(0)
    discriminator, images = Discriminators(2, size=32), torch.rand(2, 3, 32, 32)
    corners = torch.tensor([[0, 0], [4, 4]])
    before = discriminator(images, corners)
    assert before.shape == (2, 2)
    images[:, :, 31, 31] = -1  # outside both patches
    after = discriminator(images, corners)
    assert (after[:, 0] != before[:, 0]).all()
    assert torch.equal(after[:, 1], before[:, 1])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"width": 0}, r"discriminator\.width=0: must be at least 1$"),
        ({"size": 100}, r"discriminator\.size=100: must be at least 16 and a multiple of 16$"),
        ({"size": 64, "patch": 24}, r"discriminator\.patch=24: must be at least 16 and a multiple of 16$"),
        ({"size": 32, "patch": 48}, r"discriminator\.patch=48: larger than discriminator\.size=32"),
    ],
)
def test_impossible_discriminators_raise(arguments, text):
    with pytest.raises(InputError, match=text):
        Discriminators(**arguments)


def test_impossible_widths_raise():
    with pytest.raises(InputError, match=r"model\.width=3"):
        Generator(3)
    with pytest.raises(InputError, match="a local patch needs corners"):
        Discriminators(2, size=32)(torch.zeros(1, 3, 32, 32))
