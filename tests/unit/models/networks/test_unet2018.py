import numpy as np
import pytest
import torch
from scipy.stats import truncnorm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pose_inpaint.errors import InputError
from pose_inpaint.models.networks.unet2018 import Discriminator, Generator


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_are_the_papers():
    assert parameters(Generator()) == 6_890_400
    assert parameters(Generator(predict_mask=True)) == 6_890_400 + 32 * 9
    assert parameters(Discriminator()) == 19_252_801


@pytest.mark.parametrize(("init", "deviation"), [("xavier", 0.567), ("authors2018", 0.053)])
def test_an_untrained_networks_output_spreads_as_that_of_the_authors_code_does(init, deviation):
    # The scales of the last few layers multiply, so that seeds give 0.05 to 0.13 with the authors' weights.
    torch.manual_seed(0)
    known, mask = torch.rand(2, 3, 64, 48) * 2 - 1, torch.zeros(2, 1, 64, 48)
    mask[:, :, 20:50, 10:40] = 1
    found = []
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            found.append(float(Generator(init=init)(known * (1 - mask), mask).raw.std()))
    assert np.median(found) == pytest.approx(deviation, rel=0.4)


def test_initial_weights_of_the_authors_code():
    torch.manual_seed(0)
    for network in (Generator(init="authors2018"), Discriminator(init="authors2018")):
        truncated = [layer.weight for layer in network.modules() if isinstance(layer, nn.BatchNorm2d | nn.Linear)]
        values = torch.cat([weight.detach().flatten() for weight in truncated])
        assert values.abs().max() <= 0.2
        assert float(values.mean()) == pytest.approx(0, abs=0.01)
        assert float(values.std()) == pytest.approx(0.1 * truncnorm(-2, 2).std(), rel=0.03)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                taps = layer.weight[0, 0].numel()
                bound = (6 / (taps * (layer.in_channels + layer.out_channels))) ** 0.5
                assert 0.95 * bound < layer.weight.abs().max() <= bound
            if isinstance(layer, nn.BatchNorm2d | nn.Linear):
                assert not layer.bias.any()


def test_other_initialisations_raise():
    for build, key in ((Generator, "model"), (Discriminator, "discriminator")):
        with pytest.raises(InputError, match=rf"{key}\.init=zeros: not one of authors2018, xavier"):
            build(2, init="zeros")


def test_forward_pass_costs_what_the_paper_says():
    network = Generator().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 128, 128, device="meta"), torch.zeros(1, 1, 128, 128, device="meta"))
    assert counter.get_total_flops() / 1e9 == pytest.approx(20.24, abs=0.005)


# PAPER: stage, layer, channels in -> out, resolution.
TABLE = [
    ("conv1", 4, 64, 128), ("conv2", 64, 128, 64), ("conv3", 128, 128, 64), ("conv4", 128, 256, 32),
    *((f"middle.{n}", 256, 256, 32) for n in range(8)),
    ("deconv1", 512, 128, 64), ("conv9", 256, 128, 64), ("deconv2", 256, 64, 128), ("conv10", 128, 32, 128),
    ("conv11", 32, 3, 128),
]  # fmt: skip


def test_layers_are_the_tables():
    network, shapes = Generator().to("meta"), {}
    for name, _, _, _ in TABLE:
        network.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, name=name: shapes.update({name: (inputs[0].shape[1], *output.shape[1:3])})
        )
    network(torch.zeros(1, 3, 128, 128, device="meta"), torch.zeros(1, 1, 128, 128, device="meta"))
    assert shapes == {name: (channels, outputs, resolution) for name, channels, outputs, resolution in TABLE}
    assert [network.middle[n][0].dilation[0] for n in range(8)] == [1, 1, 2, 4, 8, 16, 1, 1]
    assert [network.get_submodule(name)[0].kernel_size[0] for name in ("conv1", "conv2", "deconv1")] == [5, 3, 4]


def test_discriminator_halves_five_times():
    network, shapes = Discriminator(), []
    for block in network.features:
        block.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    assert network(torch.zeros(2, 3, 128, 128)).shape == (2, 1)
    assert shapes == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4)]
    flatten, *linear = network.judge
    assert isinstance(flatten, nn.Flatten)
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(8192, 1024), (1024, 1)]


@pytest.mark.parametrize(("height", "width"), [(4, 4), (36, 52), (128, 64)])
def test_any_multiple_of_four_goes_through(height, width):
    output = Generator(2)(torch.zeros(2, 3, height, width), torch.zeros(2, 1, height, width))
    assert output.raw.shape == (2, 1, 3, height, width)
    assert output.raw.abs().max() <= 1


def test_other_sizes_raise():
    with pytest.raises(InputError, match="30x32 pixels: both sides must be multiples of 4"):
        Generator(2)(torch.zeros(1, 3, 30, 32), torch.zeros(1, 1, 30, 32))


def test_mask_output_lies_between_0_and_1():
    output = Generator(2, predict_mask=True)(torch.randn(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    assert output.predicted_mask.shape == (1, 1, 8, 8)
    assert ((output.predicted_mask > 0) & (output.predicted_mask < 1)).all()


@pytest.mark.parametrize("skips", [True, False])
def test_the_decoder_gets_the_encoders_features_of_its_resolution(skips):
    torch.manual_seed(0)
    network, features, inputs = Generator(4, skips=skips).eval(), {}, {}
    for name in ("conv1", "conv2", "conv3", "conv4", "middle", "deconv1", "conv9", "deconv2", "conv10"):
        layer = network.get_submodule(name)
        layer.register_forward_hook(lambda _, given, output, name=name: features.update({name: output}))
        layer.register_forward_pre_hook(lambda _, given, name=name: inputs.update({name: given[0]}))
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., 3:9, 5:14] = 1
    with torch.no_grad():
        network((torch.rand(1, 3, 16, 24) * 2 - 1) * (1 - mask), mask)
    pairs = {
        "deconv1": ("middle", "conv4"), "conv9": ("deconv1", "conv3"), "deconv2": ("conv9", "conv2"),
        "conv10": ("deconv2", "conv1"),
    }  # fmt: skip
    for name, (below, encoded) in pairs.items():
        joined = torch.cat([features[below], features[encoded]], 1) if skips else features[below]
        assert torch.equal(inputs[name], joined), name
        assert features[encoded].abs().sum() > 0


def test_generator_sees_images_and_mask():
    network = Generator(2).eval()
    known, mask = torch.rand(1, 3, 8, 12), torch.zeros(1, 1, 8, 12)
    before = network(known, mask).raw
    assert (network(known, 1 - mask).raw != before).any()
    assert (network(known * 0.5, mask).raw != before).any()


def test_xavier_bounds():
    weight = Generator(16).conv4[0].weight
    bound = (6 / (9 * (weight.shape[0] + weight.shape[1]))) ** 0.5
    assert bound * 0.99 < weight.abs().max() <= bound


@pytest.mark.parametrize("width", [0, 1, 3, -4])
def test_impossible_widths_raise(width):
    with pytest.raises(InputError, match=f"model.width={width}"):
        Generator(width)


def test_sizes_that_cannot_be_halved_raise():
    with pytest.raises(InputError, match=r"discriminator\.size=100"):
        Discriminator(2, size=100)
    with pytest.raises(InputError, match=r"discriminator\.width=0"):
        Discriminator(0)
