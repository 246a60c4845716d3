import numpy as np
import pytest
import torch
from PIL import Image

import pose_inpaint
from pose_inpaint import InputError, load
from pose_inpaint.api import Model
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.types import InpaintingOutput

HEIGHT, WIDTH = 20, 30


class Constant:
    """Inpainter that gives 0.2, 0.4, ... of white for its samples."""

    def __call__(self, known, mask, *, samples=1, generator=None):
        levels = 0.4 * torch.arange(1, samples + 1).view(1, -1, 1, 1, 1) - 1
        return InpaintingOutput(levels.expand(len(known), -1, 3, *known.shape[-2:]))


MODEL = Model("constant", ImageInpainter(Constant()))
PIXELS = np.random.default_rng(5).integers(60, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
MASK = np.zeros((HEIGHT, WIDTH), dtype=bool)
MASK[4:9, 10:25] = True


@pytest.fixture(scope="module")
def pretrained():
    return load(device="cpu")


def as_tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("image", "mask", "hole"),
    [
        (PIXELS, MASK, 51),
        (PIXELS.astype(np.float32) / 255, MASK, 0.2),
        (PIXELS.astype(np.float64) / 255, MASK.astype(np.uint8), 0.2),
        (PIXELS[..., 0], MASK.astype(np.uint8) * 255, 51),
        (PIXELS[..., :1], MASK[..., None], 51),
        (as_tensor(PIXELS), torch.from_numpy(MASK), 51),
        (as_tensor(PIXELS) / 255, torch.from_numpy(MASK)[None].float(), 0.2),
        (torch.from_numpy(PIXELS[..., 0]), MASK, 51),
    ],
)
def test_arrays_and_tensors_come_back_as_they_were(image, mask, hole):
    output = MODEL(image, mask)
    assert type(output) is type(image)
    assert output.shape == image.shape
    assert output.dtype == image.dtype
    last = isinstance(image, np.ndarray) and image.ndim == 3
    masked = MASK if last or image.ndim == 2 else np.broadcast_to(MASK, image.shape)
    output, image = np.asarray(output), np.asarray(image)
    assert (output[~masked] == image[~masked]).all()
    np.testing.assert_allclose(output[masked], hole, rtol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "CMYK"])
def test_pil_images_keep_their_mode_where_it_can_hold_the_output(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    image.info["dpi"] = (300, 300)
    output = MODEL(image, Image.fromarray(MASK))
    assert output.mode == (mode if mode in ("RGB", "L", "RGBA", "LA") else "RGB")
    assert output.info["dpi"] == (300, 300)
    before, after = (np.asarray(each.convert("RGB")) for each in (image, output))
    assert (after[~MASK] == before[~MASK]).all()
    assert (after[MASK] == 51).all()


def test_transparent_pixels_are_a_mask():
    image = Image.fromarray(PIXELS)
    image.putalpha(Image.fromarray(np.where(MASK, 0, 255).astype(np.uint8)))
    output = np.asarray(MODEL(image))
    assert (output[..., 3] == 255).all()
    assert (output[MASK][:, :3] == 51).all()
    assert (output[~MASK][:, :3] == PIXELS[~MASK]).all()


def test_batches_and_samples():
    stacked = MODEL(np.stack([PIXELS, PIXELS[:, ::-1]]), np.stack([MASK, MASK[:, ::-1]]))
    assert stacked.shape == (2, HEIGHT, WIDTH, 3)
    assert (stacked[1] == MODEL(PIXELS, MASK)[:, ::-1]).all()
    assert (MODEL(np.stack([PIXELS] * 2), MASK)[1] == MODEL(PIXELS, MASK)).all()
    assert torch.equal(MODEL(as_tensor(PIXELS)[None], MASK[None])[0], MODEL(as_tensor(PIXELS), MASK))
    listed = MODEL([Image.fromarray(PIXELS), Image.fromarray(PIXELS[:10])], [MASK, MASK[:10]])
    assert [image.size for image in listed] == [(WIDTH, HEIGHT), (WIDTH, 10)]
    one, two = MODEL(PIXELS, MASK, samples=2)
    assert (one[MASK] == 51).all()
    assert (two[MASK] == 102).all()


def test_nan_inside_the_mask_is_inpainted():
    image = np.where(MASK[..., None], np.nan, PIXELS / 255)
    assert np.isfinite(MODEL(image, MASK)).all()


BAD = {
    "an array of 0 to 255 as float": (PIXELS.astype(float), MASK, "from 60 to 255: give 0 to 1"),
    "an array in [-1, 1]": (PIXELS / 127.5 - 1, MASK, "give 0 to 1"),
    "uint8 of 0 and 1": (MASK[..., None].repeat(3, 2).astype(np.uint8), MASK, "largest value is 1"),
    "integers": (PIXELS.astype(np.int64), MASK, "int64: give uint8"),
    "numpy's own integers": (PIXELS.astype(np.uint16), MASK, "uint16: give uint8"),
    "text": (np.array([["a"]]), MASK, "image of type <U1"),
    "a path": ("photo.jpg", MASK, "image: str; give a PIL image"),
    "NaN": (np.where(MASK[..., None], PIXELS / 255, np.nan), MASK, "NaN or infinite values outside its mask"),
    "NaN in the mask": (PIXELS, np.where(MASK, np.nan, 0), "mask: has NaN"),
    "four channels": (np.zeros((4, 4, 4), np.uint8), MASK, r"shape \(4, 4, 4\): give \(h, w, 3\)"),
    "channels last in a tensor": (torch.from_numpy(PIXELS), MASK, r"give \(3, h, w\)"),
    "no pixels": (np.zeros((0, 4, 3), np.uint8), MASK, r"shape \(0, 4, 3\)"),
    "no mask": (PIXELS, None, "mask: give one"),
    "an opaque image without a mask": (Image.fromarray(PIXELS), None, "mask: give one"),
    "a mask of another size": (PIXELS, MASK[:5], r"mask of 5x30 pixels \(height x width\), image of 20x30"),
    "an empty mask": (PIXELS, MASK & False, "covers nothing"),
    "a full mask": (PIXELS, MASK | True, "covers the whole image"),
    "a coloured mask": (PIXELS, PIXELS, "give one channel"),
    "two masks": (PIXELS, [MASK, MASK], "mask: list; give a PIL image"),
    "three masks for two images": ([PIXELS, PIXELS], [MASK] * 3, "3 masks for 2 images"),
    "a bad image in a batch": ([PIXELS, PIXELS], [MASK, MASK & False], "image 1: mask: covers nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_in_one_line(case):
    image, mask, says = BAD[case]
    with pytest.raises(InputError, match=says) as caught:
        MODEL(image, mask)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"scale": "small"}, {"scale": 30}, {"scale": True}, {"samples": 0}, {"feather": -1}]
)
def test_bad_options(options):
    with pytest.raises(InputError, match=str(next(iter(options)))):
        MODEL(PIXELS, MASK, **options)


def test_the_pretrained_model_inpaints_large_images_as_small_ones(pretrained):
    image = np.asarray(Image.fromarray(PIXELS).resize((300, 200)))
    mask = np.zeros((200, 300), dtype=bool)
    mask[20:60, 30:90] = mask[150:180, 220:280] = True
    output = pretrained(image, mask)
    assert (output[~mask] == image[~mask]).all()
    assert repr(pretrained) == "<pose_inpaint model pretrained on cpu, learned at 128 pixels>"
    with pytest.raises(InputError, match="samples=2: this model gives one output"):
        pretrained(image, mask, samples=2)


def test_a_checkpoint_and_a_method_load(tiny_checkpoint):
    for weights in (tiny_checkpoint, "push_pull"):
        assert (load(weights, device="cpu")(PIXELS, MASK)[~MASK] == PIXELS[~MASK]).all()


@pytest.mark.parametrize(
    ("weights", "says"), [("nothing", "weights=nothing: no such file"), ("unet2018", "a network without weights")]
)
def test_what_cannot_be_loaded_is_said(weights, says):
    with pytest.raises(InputError, match=says):
        load(weights)


def test_the_package_offers_its_names_and_no_others():
    assert set(pose_inpaint.__all__) <= set(dir(pose_inpaint)) | {"Model", "load", "InputError"}
    assert pose_inpaint.load is load
    with pytest.raises(AttributeError, match="nothing"):
        pose_inpaint.nothing  # noqa: B018


def test_a_mask_is_grown_on_request():
    output = MODEL(PIXELS, MASK, grow=2)
    grown = np.zeros_like(MASK)
    grown[2:11, 8:27] = True
    assert (output[grown] == 51).all()
    assert (output[~grown] == PIXELS[~grown]).all()
    with pytest.raises(InputError, match="mask: covers the whole image, grown by 30 pixels"):
        MODEL(PIXELS, MASK, grow=30)
    with pytest.raises(InputError, match="grow=-1"):
        MODEL(PIXELS, MASK, grow=-1)
