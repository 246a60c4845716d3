import pytest
import torch

from pose_inpaint.errors import InputError
from pose_inpaint.models.networks.glcic import CompletionNetwork, Discriminators


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


# Iizuka et al. 2017, table 1: kernel side, dilation, channels out, side of the output for 256 pixels.
TABLE = [
    (5, 1, 64, 256), (3, 1, 128, 128), (3, 1, 128, 128), (3, 1, 256, 64), (3, 1, 256, 64), (3, 1, 256, 64),
    (3, 2, 256, 64), (3, 4, 256, 64), (3, 8, 256, 64), (3, 16, 256, 64), (3, 1, 256, 64), (3, 1, 256, 64),
    (4, 1, 128, 128), (3, 1, 128, 128), (4, 1, 64, 256), (3, 1, 32, 256), (3, 1, 3, 256),
]  # fmt: skip


def test_layers_are_the_tables():
    network, shapes = CompletionNetwork().to("meta"), []
    for block in network.layers:
        layer = block[0] if isinstance(block, torch.nn.Sequential) else block
        layer.register_forward_hook(
            lambda layer, _, output: shapes.append((layer.kernel_size[0], layer.dilation[0], *output.shape[1:3]))
        )
    network(torch.zeros(1, 3, 256, 256, device="meta"), torch.zeros(1, 1, 256, 256, device="meta"))
    assert shapes == TABLE


def test_parameter_count_is_the_tables_sum():
    inputs, total = 4, 3  # RGB and the mask in, one bias at the end
    for side, _, outputs, _ in TABLE:
        total += side * side * inputs * outputs + (
            0 if outputs == 3 else 2 * outputs
        )  # scale and shift of the normalisation
        inputs = outputs
    assert parameters(CompletionNetwork()) == total == 6_069_155


def test_discriminators_are_the_tables():
    network = Discriminators()
    assert network.patch == 128
    for part, widths in ((network.whole, (64, 128, 256, 512, 512, 512)), (network.local, (64, 128, 256, 512, 512))):
        blocks = [block[0] for block in part if isinstance(block, torch.nn.Sequential)]
        assert [(b.kernel_size[0], b.stride[0], b.out_channels) for b in blocks] == [(5, 2, w) for w in widths]
        assert (part[-2].in_features, part[-2].out_features) == (4 * 4 * 512, 1024)
    assert (network.judge.in_features, network.judge.out_features) == (2048, 1)


def test_the_logit_depends_on_image_and_patch():
    torch.manual_seed(0)
    discriminator, images = Discriminators(2, size=32), torch.rand(3, 3, 32, 32)
    first = discriminator(images, torch.zeros(3, 2, dtype=torch.long))
    assert first.shape == (3, 1)
    assert (discriminator(images, torch.full((3, 2), 16)) != first).any()
    images[:, :, 20:, 20:] = 0  # outside the first patches
    assert (discriminator(images, torch.zeros(3, 2, dtype=torch.long)) != first).any()


def test_output_is_the_papers_sigmoid_on_our_scale():
    torch.manual_seed(0)
    network = CompletionNetwork(2).eval()
    logits = []
    network.layers[-1].register_forward_hook(lambda _, __, output: logits.append(output))
    raw = network(torch.rand(1, 3, 8, 12), torch.zeros(1, 1, 8, 12)).raw
    assert torch.allclose((raw[:, 0] + 1) / 2, torch.sigmoid(logits[0]), atol=1e-6)


def test_holes_have_the_fill_colour():
    network, seen = CompletionNetwork(2, fill=(0.1, 0.2, 0.3)), []
    network.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2, 2] = 1
    network(torch.full((1, 3, 8, 8), -1.0), mask)
    assert seen[0][0, :, 2, 2].tolist() == pytest.approx([0.1, 0.2, 0.3, 1])
    assert seen[0][0, :, 2, 3].tolist() == [-1, -1, -1, 0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: CompletionNetwork(3), r"model\.width=3"),
        (lambda: CompletionNetwork(2, fill=(0, 0, 2)), r"model\.fill=\[0, 0, 2\]: give red, green and blue"),
        (lambda: Discriminators(0), r"discriminator\.width=0"),
        (lambda: Discriminators(2, size=100), r"discriminator\.size=100: not one of 8, 16, 32, 64, 128, 256"),
        (lambda: Discriminators(2, size=32, patch=64), r"discriminator\.patch=64: larger than discriminator\.size=32"),
        (lambda: Discriminators(2, size=32)(torch.zeros(1, 3, 32, 32)), "a local patch needs corners"),
        (lambda: CompletionNetwork(2)(torch.zeros(1, 3, 9, 8), torch.zeros(1, 1, 9, 8)), "multiples of 4"),
    ],
)
def test_impossible_settings_raise(make, text):
    with pytest.raises(InputError, match=text):
        make()
