"""Residual U-Net over a push-pull fill."""

import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.models.networks.residual_unet import ChannelNorm, Generator, ResidualBlock, SelfAttention
from pose_inpaint.types import EMPTY


def images(batch=2, height=48, width=32):
    torch.manual_seed(0)
    target, mask = torch.rand(batch, 3, height, width) * 2 - 1, torch.zeros(batch, 1, height, width)
    mask[0, :, 5:20, 7:21] = 1
    mask[1, :, 30:44, 0:9] = 1
    mask[1, :, 2:9, 20:32] = 1
    return torch.where(mask > 0, torch.full_like(target, EMPTY), target), mask


def count(**options):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Generator(**options).parameters())


def shaken(**options):
    """A network none of whose layers is zero."""
    torch.manual_seed(1)
    network = Generator(4, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def test_untrained_it_is_its_fill():
    known, mask = images()
    expected = torch.where(mask > 0, push_pull(known, mask), known)
    torch.testing.assert_close(Generator(4).eval()(known, mask).raw[:, 0], expected.clamp(-1, 1))


def test_without_the_fill_it_starts_from_grey_holes():
    known, mask = images()
    raw = Generator(4, prefill=False).eval()(known, mask).raw[:, 0]
    torch.testing.assert_close(raw, torch.where(mask > 0, 0, known))


def test_attention_and_normalization_are_options():
    plain = {name for name, _ in Generator(4).named_modules()}
    assert any(isinstance(module, SelfAttention) for module in Generator(4).modules())
    without = [type(module) for module in Generator(4, attention=False, normalization="none").modules()]
    assert SelfAttention not in without
    assert ChannelNorm not in without
    batch = Generator(4, attention=False, normalization="batch")
    blocks = sum(isinstance(module, ResidualBlock) for module in batch.modules())
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in batch.modules()) == blocks
    assert {name for name, _ in batch.named_modules() if name.endswith(".norm")} <= plain
    with pytest.raises(InputError, match=r"model.normalization=group: must be one of layer, batch, none"):
        Generator(4, normalization="group")


def test_its_size():
    assert count() == 3_680_908
    assert 0.40e6 < count(width=11) < 0.45e6
    assert 6.8e6 < count(width=44) <= 7.0e6


def test_depths_and_width_are_its_layers():
    assert (
        count(width=4, depths=(1, 1, 1, 1)) < count(width=4, depths=(1, 1, 2, 1)) < count(width=4, depths=(1, 1, 2, 2))
    )


def test_images_are_normalised_by_themselves():
    known, mask = images()
    network = shaken()
    alone = torch.cat([network(known[i : i + 1], mask[i : i + 1]).raw for i in range(2)])
    torch.testing.assert_close(network(known, mask).raw, alone, atol=1e-5, rtol=1e-5)


def test_values_inside_the_holes_have_no_effect():
    known, mask = images()
    network = shaken()
    assert torch.equal(
        network(known, mask).raw, network(torch.where(mask > 0, torch.rand_like(known), known), mask).raw
    )


def test_a_known_pixel_anywhere_reaches_a_hole_anywhere():
    known, mask = images(height=128, width=128)
    known.requires_grad_()
    shaken().train()(known, mask).raw[1, 0, :, 40, 4].sum().backward()
    assert known.grad[1, :, 120:, 120:].abs().sum() > 0


def test_outputs_stay_in_the_range_at_inference_and_pass_gradients_in_training():
    known, mask = images()
    network = shaken()
    with torch.no_grad():
        network.last.bias.fill_(3)
    assert network(known, mask).raw.max() == 1
    network.train()
    raw = network(known, mask).raw
    assert raw.max() > 1
    raw.sum().backward()
    assert network.last.bias.grad.abs().min() > 0


def test_the_norm_is_over_the_channels_of_each_pixel():
    features = torch.randn(2, 6, 3, 5)
    mean, variance = features.mean(1, keepdim=True), features.var(1, keepdim=True, unbiased=False)
    torch.testing.assert_close(ChannelNorm(6)(features), (features - mean) / (variance + 1e-5).sqrt())


def test_attention_is_multi_head_attention():
    torch.manual_seed(0)
    layer, reference = SelfAttention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    torch.nn.init.normal_(layer.out.weight)
    with torch.no_grad():
        reference.in_proj_weight.copy_(layer.project.weight[..., 0, 0])
        reference.in_proj_bias.copy_(layer.project.bias)
        reference.out_proj.weight.copy_(layer.out.weight[..., 0, 0])
        reference.out_proj.bias.copy_(layer.out.bias)
    features = torch.randn(2, 8, 3, 5)
    tokens = layer.norm(features).flatten(2).mT
    expected = features + reference(tokens, tokens, tokens)[0].mT.reshape(features.shape)
    torch.testing.assert_close(layer(features), expected)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"width": 0}, "model.width=0: must be at least 1"),
        ({"depths": (1, 2)}, r"model.depths=\[1, 2\]: give 4 numbers of blocks of at least 1"),
        ({"depths": (1, 2, 0, 1)}, r"model.depths=\[1, 2, 0, 1\]"),
    ],
)
def test_bad_arguments_are_refused(options, text):
    with pytest.raises(InputError, match=text):
        Generator(**options)


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="40x48 pixels: both sides must be multiples of 16"):
        Generator(2)(torch.zeros(1, 3, 40, 48), torch.zeros(1, 1, 40, 48))
