"""Mean over an image and its mirror image."""

import torch

from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.models.mirror_average import MirrorAverage
from pose_inpaint.models.networks.residual_unet import Generator
from pose_inpaint.types import InpaintingOutput


class LeftNeighbour:
    """Fills with the pixel to the left, and with noise of each sample; whatever lies right is ignored."""

    stride = 7

    def __call__(self, known, mask, *, samples=1, generator=None):
        noise = torch.rand(1, samples, 1, 1, 1, generator=generator)
        return InpaintingOutput(raw=known.roll(1, -1)[:, None] + noise, coarse=known)


def test_a_pixel_becomes_the_mean_of_its_neighbours():
    known, mask = torch.rand(2, 3, 5, 6), torch.zeros(2, 1, 5, 6)
    output = MirrorAverage(LeftNeighbour())(known, mask, samples=2, generator=torch.Generator().manual_seed(0))
    noise = torch.rand(4, generator=torch.Generator().manual_seed(0)).reshape(2, 2).mean(0)
    expected = (known.roll(1, -1) + known.roll(-1, -1)) / 2
    torch.testing.assert_close(output.raw, expected[:, None] + noise.reshape(1, 2, 1, 1, 1))
    assert (output.coarse == known).all()
    assert MirrorAverage(LeftNeighbour()).stride == 7


def test_a_mirrored_image_gives_the_mirrored_output():
    torch.manual_seed(0)
    network = Generator(4).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    known, mask = torch.rand(1, 3, 16, 32) * 2 - 1, torch.zeros(1, 1, 16, 32)
    mask[..., 3:11, 2:9] = 1
    with torch.inference_mode():
        once, mirrored = (
            MirrorAverage(network)(*each).raw for each in ((known, mask), (known.flip(-1), mask.flip(-1)))
        )
        alone = [network(*each).raw for each in ((known, mask), (known.flip(-1), mask.flip(-1)))]
    torch.testing.assert_close(mirrored.flip(-1), once, atol=1e-5, rtol=1e-5)
    assert (alone[1].flip(-1) - alone[0]).abs().max() > 1e-3


def test_samples_of_an_image_do_not_depend_on_the_others_of_its_batch():
    images = ImageInpainter(MirrorAverage(LeftNeighbour()), 128)
    assert not images.takes_batches  # the draws of a batch would be other ones than those of each image
