import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.models.layers.push_pull import push_pull
from pose_inpaint.models.pretrained import Pretrained
from pose_inpaint.models.views import LARGEST, find_views
from pose_inpaint.types import EMPTY, InpaintingOutput


class Recorder:
    """Inpainter of stride 4 that records its input and returns a constant."""

    stride = 4

    def __call__(self, known, mask, *, samples=1, generator=None):
        self.known, self.mask = known, mask
        return InpaintingOutput(torch.zeros_like(known)[:, None])


@pytest.mark.parametrize("size", [None, 32])
@pytest.mark.parametrize(("height", "width"), [(37, 53), (3, 5), (1, 1), (8, 4)])
def test_inputs_are_padded_to_the_stride_and_outputs_cropped_back(size, height, width):
    recorder = Recorder()
    masked = torch.zeros(height, width, dtype=torch.bool)
    masked[-1, -1] = True
    pixels = torch.full((3, height, width), 200, dtype=torch.uint8)
    raw = ImageInpainter(recorder).raw(pixels, masked, size)[0]
    assert raw.shape == (3, height, width)
    assert (raw == 128).all()
    assert recorder.known.shape[-2:] == recorder.mask.shape[-2:]
    assert recorder.known.shape[-2] % 4 == recorder.known.shape[-1] % 4 == 0


@pytest.mark.parametrize("size", [None, 32])
def test_the_network_never_sees_masked_pixels(size):
    recorder = Recorder()
    pixels = torch.full((3, 37, 53), 200, dtype=torch.uint8)
    masked = torch.zeros(37, 53, dtype=torch.bool)
    masked[30:, 40:] = True  # up to the edges, where padding is added
    pixels[:, masked] = 90
    ImageInpainter(recorder).raw(pixels, masked, size)
    emptied = recorder.mask.bool().expand(-1, 3, -1, -1)
    assert (recorder.known[emptied] == EMPTY).all()
    assert (recorder.known[~emptied] - (200 / 127.5 - 1)).abs().max() < 1e-5
    assert emptied[..., -1, -1].all()


class Fill:
    """Inpainter that fills by `push_pull`, and counts its inputs' sides; its outputs differ by sample."""

    stride = 1

    def __init__(self):
        self.shapes = []

    def __call__(self, known, mask, *, samples=1, generator=None):
        self.shapes.append(tuple(known.shape[-2:]))
        raw = torch.where(mask > 0, push_pull(known, mask), known)
        return InpaintingOutput(raw[:, None] + 0.2 * torch.arange(samples).view(1, -1, 1, 1, 1))


def holes(height, width, *squares):
    masked = torch.zeros(height, width, dtype=torch.bool)
    for top, left, side in squares:
        masked[top : top + side, left : left + side] = True
    return masked


SQUARES = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 130), st.integers(1, 60)), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(squares=SQUARES, learned=st.sampled_from([8, 16, 48]), wide=st.booleans())
def test_views_fill_each_masked_pixel_once_and_show_its_surroundings(squares, learned, wide):
    height, width = (100, 1400) if wide else (100, 140)  # the wide one is divided into cells of three pixels
    masked = holes(height, width, *squares)
    filled = torch.zeros(height, width, dtype=torch.long)
    for view in find_views(masked, learned):
        filled[view.box] += view.holes
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[view.crop] = True
        assert inside[view.box].all()
        rows, columns = (cut.stop - cut.start for cut in view.crop)
        assert max(view.shape) <= LARGEST * learned
        assert abs(view.shape[0] / rows - view.shape[1] / columns) <= 1 / min(rows, columns)
    assert torch.equal(filled, masked.long())


def test_views_by_hand():
    # Two small holes in one tile of 64 pixels, one far from them, and one that is larger than the network's view.
    masked = holes(900, 1000, (10, 70, 20), (40, 100, 10), (30, 500, 30), (400, 300, 400))
    views = list(find_views(masked, 128))
    assert [(view.crop[0].start, view.crop[0].stop, view.crop[1].start, view.crop[1].stop) for view in views] == [
        (0, 256, 0, 256),
        (0, 256, 387, 643),
        (300, 900, 200, 800),
    ]
    assert [view.shape for view in views] == [(256, 256)] * 3
    # Eight pixels at the network's resolution around the holes; a view starts with whole cells of 2 x 2 pixels.
    assert views[2].box == (slice(381, 819), slice(281, 719))
    assert views[2].holes.sum() == 400**2
    assert [int(view.holes.sum()) for view in views[:2]] == [20**2 + 10**2, 30**2]


def test_holes_in_the_same_crop_are_masked_for_each_other():
    recorder = Recorder()
    pixels = torch.full((3, 40, 60), 200, dtype=torch.uint8)
    masked = holes(40, 60, (5, 5, 20), (25, 45, 3))
    pixels[:, masked] = 90
    output = ImageInpainter(recorder, 16).composite(pixels, masked)[0]
    assert (recorder.known == EMPTY)[..., 0, :, :].sum() == recorder.mask.sum()
    assert (recorder.known[recorder.known != EMPTY] - (200 / 127.5 - 1)).abs().max() < 1e-5
    assert (output[:, ~masked] == 200).all()


@settings(max_examples=20, deadline=None)
@given(squares=SQUARES, seed=st.integers(0, 99), feather=st.sampled_from([0, 3]))
def test_known_pixels_stay_exactly_in_every_mode(squares, seed, feather):
    masked = holes(100, 140, *squares)
    pixels = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, 100, 140), dtype=np.uint8))
    near = F.max_pool2d(masked[None].float(), 2 * feather + 1, 1, feather)[0] > 0
    for options in ({}, {"whole": True}, {"size": 32}):
        output = ImageInpainter(Fill(), 16).composite(pixels, masked, **options, feather=feather, samples=2)
        assert output.shape == (2, 3, 100, 140)
        assert torch.equal(output[:, :, ~near], pixels[None, :, ~near].expand(2, -1, -1))


def test_an_enlarged_output_meets_the_known_pixels_without_a_seam():
    # A ramp with fine stripes: the network's resolution can't hold the stripes, and a plain enlargement would lose the
    # ramp at the holes' borders as well.
    rows, columns = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    ramp = (rows + columns) / 4 + 60
    pixels = (ramp + 20 * (columns % 2)).round().byte().expand(3, -1, -1)
    masked = holes(256, 256, (64, 64, 128))
    fill = Fill()
    output = ImageInpainter(fill, 32).composite(pixels, masked)[0].float()
    assert fill.shapes == [(64, 64)]  # 1.5 times 128 pixels at a third
    border = masked & ~(-F.max_pool2d(-masked[None].float(), 3, 1, 1)[0] > 0)
    assert (output[0] - ramp - 10)[border].abs().max() <= 20
    assert (output[0] - ramp - 10)[border].mean().abs() < 2
    assert (output[0] - ramp - 10)[masked].abs().mean() < 8


def test_a_seam_fades_the_output_into_the_known_pixels():
    pixels = torch.full((3, 9, 9), 245, dtype=torch.uint8)
    masked = holes(9, 9, (4, 4, 1))
    recorder = Recorder()
    output = ImageInpainter(recorder, None).composite(pixels, masked, feather=2)[0, 0]
    # The output is 0, which is 127.5; weights along the row are 0, 1/3, 2/3, 1, 2/3, 1/3, 0.
    assert output[4].tolist() == [245, 245, 206, 167, 128, 167, 206, 245, 245]
    assert output[3].tolist() == [245, 245, 245, 206, 167, 206, 245, 245, 245]
    assert recorder.mask.sum() == 13  # the method inpaints the seam as well


class Flat:
    """Inpainter that gives one level everywhere."""

    stride = 1

    def __init__(self, level):
        self.level = level

    def __call__(self, known, mask, *, samples=1, generator=None):
        return InpaintingOutput(torch.full_like(known, self.level)[:, None])


def test_an_enlarged_output_is_cut_to_the_range_before_it_fades():
    pixels = torch.zeros(3, 64, 64, dtype=torch.uint8)
    output = ImageInpainter(Flat(100.0), 8).composite(pixels, holes(64, 64, (16, 16, 32)), feather=2)[0]
    assert output[:, 15:17, 32].amax(0).tolist() == [170, 255]  # white, of weight 2/3 and 1 over black


def test_methods_without_a_learned_scale_see_the_whole_image():
    fill = Fill()
    ImageInpainter(fill).composite(torch.zeros(3, 100, 140, dtype=torch.uint8), holes(100, 140, (3, 3, 4)))
    assert fill.shapes == [(100, 140)]


def test_images_of_one_size_go_through_the_network_together_and_come_out_as_alone():
    network = Pretrained()
    images = ImageInpainter(network, 128)
    rng = np.random.default_rng(0)
    sizes = [(48, 64), (48, 64), (40, 40), (48, 64)]
    photos = [torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8)) for size in sizes]
    pairs = [(photo, holes(*photo.shape[1:], (5 + i, 9, 12))) for i, photo in enumerate(photos)]
    alone = [images.composite(*pair) for pair in pairs]
    passes = []
    network.register_forward_pre_hook(lambda _, inputs: passes.append(tuple(inputs[0].shape)))
    together = images.many(pairs)
    assert sorted(passes) == [(1, 3, 48, 48), (3, 3, 48, 64)]
    for one, other in zip(alone, together, strict=True):
        assert (one.int() - other.int()).abs().max() <= 1
        assert not torch.equal(one[0], photos[0])


def test_an_output_that_is_not_finite_fails_alone():
    class Broken(Fill):
        def __call__(self, known, mask, **options):
            raw = super().__call__(known, mask, **options).raw.clone()
            raw[known[:, :1].amax((1, 2, 3)) > 0.9] = torch.nan
            return InpaintingOutput(raw)

    dark = torch.full((3, 20, 20), 40, dtype=torch.uint8)
    bright = torch.full((3, 20, 20), 255, dtype=torch.uint8)
    masked = holes(20, 20, (4, 4, 6))
    first, second, third = ImageInpainter(Broken(), 16).many([(dark, masked), (bright, masked), (dark, masked)])
    assert "NaN or infinite" in str(second)
    assert torch.equal(first, third)
