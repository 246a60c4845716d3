import itertools

import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.networks.context_encoder import FILL, ChannelwiseLinear, Discriminator, Generator


def shapes(network, blocks, side=128):
    result = []
    for block in blocks:
        block.register_forward_hook(lambda _, __, output: result.append(tuple(output.shape[1:])))
    device = next(network.parameters()).device
    mask = [torch.zeros(2, 1, side, side, device=device)] if isinstance(network, Generator) else []
    network(torch.zeros(2, 3, side, side, device=device), *mask)
    return result


def test_layers_are_the_authors():
    network = Generator().to("meta")
    encoded = [(64, 64, 64), (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert shapes(network, [*network.encoder, *network.decoder]) == encoded + encoded[-2::-1]
    discriminator = Discriminator()
    assert shapes(discriminator, discriminator.features) == encoded
    assert tuple(discriminator.judge.kernel_size) == (4, 4)


def test_the_channelwise_layer_has_the_papers_number_of_weights():
    # Section 3.1: m n^4 weights for m channels of n x n, instead of a full layer's m^2 n^4.
    assert Generator().bottleneck[0].weight.numel() == 512 * 4**4


def test_parameter_count_is_the_layers_sum():
    channels = (3, 64, 64, 128, 256, 512)
    convolutions = sum(16 * a * b for a, b in itertools.pairwise(channels))
    normalised = 2 * (64 + 128 + 256 + 512)
    encoder = convolutions + 64 + normalised  # the first convolution has a bias instead
    middle = 512 * 4**4 + 512 * 4**2 + 512 * 512 + 2 * 512
    decoder = convolutions + 2 * (256 + 128 + 64 + 64) + 3
    assert sum(p.numel() for p in Generator().parameters()) == encoder + middle + decoder == 6_047_683


def test_the_bottleneck_of_the_authors_command():
    network = Generator(bottleneck=4000).to("meta")
    without = 6_047_683 - (512 * 4**4 + 512 * 4**2 + 512 * 512)
    assert sum(p.numel() for p in network.parameters()) == without + 2 * 512 * 4000 * 4**2 + 2 * 4000
    assert shapes(network, network.bottleneck)[:1] == [(4000, 1, 1)]
    assert network(torch.zeros(2, 3, 72, 40, device="meta"), torch.zeros(2, 1, 72, 40, device="meta")).raw.shape == (
        2, 1, 3, 72, 40,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"model\.bottleneck=0: must be at least 1"):
        Generator(bottleneck=0)


def test_initial_weights_are_drawn_as_the_authors_draw_them():
    torch.manual_seed(0)
    for network in (Generator(32), Generator(16, bottleneck=200), Discriminator(32)):
        layers = list(network.modules())
        scales = torch.cat([layer.weight for layer in layers if isinstance(layer, torch.nn.BatchNorm2d)])
        assert float(scales.mean()) == pytest.approx(1, abs=0.005)
        assert float(scales.std()) == pytest.approx(0.02, rel=0.15)
        for layer in layers:
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d | ChannelwiseLinear):
                assert float(layer.weight.mean()) == pytest.approx(0, abs=0.003)
                assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.1)
            if getattr(layer, "bias", None) is not None:
                assert not layer.bias.any()


def test_channelwise_layer_by_hand():
    layer = ChannelwiseLinear(2, 2)
    torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight[0, 0, 3] = 2.0  # the first value of channel 0 is twice its last
        layer.bias[1, 2] = 0.5
    result = layer(torch.arange(8.0).view(1, 2, 2, 2))
    assert result.flatten().tolist() == [6, 0, 0, 0, 0, 0, 0.5, 0]


def test_a_channel_depends_only_on_itself():
    layer, features = ChannelwiseLinear(3, 4), torch.rand(2, 3, 4, 4, requires_grad=True)
    layer(features)[:, 1].sum().backward()
    assert features.grad[:, 1].ne(0).all()
    assert features.grad[:, [0, 2]].eq(0).all()


def test_holes_have_the_mean_colour():
    network, seen = Generator(2, size=16).eval(), []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 3, 3] = 1
    network(torch.full((1, 3, 16, 16), -1.0), mask)
    assert seen[0][0, :, 3, 3].tolist() == pytest.approx(FILL)
    assert seen[0].eq(-1).sum() == 3 * 255


def test_other_sizes_are_resized_and_back():
    network, seen = Generator(2, size=32).eval(), []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    raw = network(torch.rand(1, 3, 20, 50), torch.zeros(1, 1, 20, 50)).raw
    assert seen == [(1, 3, 32, 32)]
    assert raw.shape == (1, 1, 3, 20, 50)
    assert raw.abs().max() <= 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Generator(0), r"model\.width=0"),
        (lambda: Generator(2, size=100), r"model\.size=100: must be a power of two of at least 16"),
        (lambda: Discriminator(2, size=8), r"discriminator\.size=8"),
    ],
)
def test_impossible_settings_raise(make, text):
    with pytest.raises(InputError, match=text):
        make()
