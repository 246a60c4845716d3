import base64
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from pose_inpaint.config.schema import UploadSettings
from pose_inpaint.errors import InputError
from pose_inpaint.web.photos import (
    PAINT,
    SHOWN,
    add_square,
    encode,
    paint_over,
    read_painting,
    read_upload,
    to_shown,
    to_url,
)

LIMITS = UploadSettings(megabytes=1, megapixels=0.01)
PIXELS = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def saved(image, form="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def layer(opacity):
    """A layer of the editor by its opacity."""
    colour = np.zeros((*opacity.shape, 3), dtype=np.uint8)
    return saved(Image.fromarray(np.dstack([colour, opacity.astype(np.uint8)])))


def test_a_photo_keeps_its_pixels_profile_and_resolution():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_upload(saved(Image.fromarray(PIXELS), icc_profile=profile, dpi=(300, 300)), "a.png", LIMITS)
    again = Image.open(BytesIO(encode(photo)))
    assert again.format == "PNG"
    assert (np.array(again) == PIXELS).all()
    assert again.info["icc_profile"] == profile
    assert again.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_a_photo_is_upright_in_colour_and_of_eight_bits():
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was turned, so that rows are columns
    assert read_upload(saved(Image.fromarray(PIXELS), exif=turned), "a.png", LIMITS).size == (40, 60)
    assert read_upload(saved(Image.fromarray(PIXELS[..., 0])), "a.png", LIMITS).mode == "RGB"
    deep = read_upload(saved(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)), "a.png", LIMITS)
    assert (np.array(deep) == PIXELS[..., :1]).all()
    clear = read_upload(saved(Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]]))), "a.png", LIMITS)
    assert clear.mode == "RGBA"


def bomb():
    """A PNG file that says it has 400 megapixels."""
    content = bytearray(saved(Image.new("1", (8, 8))))
    content[16:24] = (20000).to_bytes(4) * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "a.png is not an image that can be read, or it is damaged. Load a JPEG or PNG file."),
        (b"", "a.png is not an image that can be read, or it is damaged. Load a JPEG or PNG file."),
        (
            saved(Image.fromarray(PIXELS), "JPEG")[:-300],
            "a.png is not an image that can be read, or it is damaged. Load a JPEG or PNG file.",
        ),
        (bytes(2**20 + 100000), "a.png has 1.1 MB, and this page takes 1 MB at most. Make it smaller."),
        (saved(Image.new("L", (200, 300))), "a.png has 200 x 300 pixels (0.1 megapixels), and this page takes 0.01 "),
        (bomb(), "a.png has far too many pixels. Make it smaller."),
    ],
)
def test_a_file_that_cant_be_used_is_said_in_one_message(content, says):
    with pytest.raises(InputError) as raised:
        read_upload(content, "a.png", LIMITS)
    assert str(raised.value).startswith(says)


@pytest.mark.parametrize(("size", "shown"), [((60, 40), (60, 40)), ((2048, 512), (1024, 256)), ((1, 5000), (1, 1024))])
def test_photos_are_shown_no_larger_than_needed(size, shown):
    assert to_shown(Image.new("RGBA", size)).size == shown
    assert max(shown) <= SHOWN
    assert to_shown(Image.new("RGBA", size)).mode == "RGB"


def test_painted_pixels_are_enlarged_to_the_photo():
    opacity = np.zeros((4, 6))
    opacity[1, 2], opacity[3, 5], opacity[0, 0] = 255, 160, 3  # the last is the edge of a brush
    painted = read_painting([layer(opacity)], 12, 8)
    expected = np.zeros((8, 12), dtype=bool)
    expected[2:4, 4:6] = expected[6:, 10:] = True
    assert (painted.numpy() == expected).all()
    other = np.zeros((8, 12))
    other[0, 0] = 255
    expected[0, 0] = True
    assert (read_painting([layer(opacity), layer(other)], 12, 8).numpy() == expected).all()


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([], "Nothing is painted."),
        ([layer(np.zeros((4, 6)))], "Nothing is painted."),
        ([layer(np.full((4, 6), 255))], "Everything is painted."),
        ([b""], "What was painted did not arrive."),
        ([b"hello"], "What was painted did not arrive."),
        ([layer(np.zeros((1, 4 * SHOWN + 1)))], "What was painted did not arrive."),
    ],
)
def test_a_painting_that_cant_be_used_is_said_in_one_message(layers, says):
    with pytest.raises(InputError, match=says):
        read_painting(layers, 6, 4)


@pytest.mark.parametrize(("left", "top", "box"), [(0, 0, (0, 0)), (1, 1, (30, 10)), (0.5, 0.1, (15, 1))])
def test_a_square_is_placed_beside_what_is_painted(left, top, box):
    opacity = np.zeros((20, 40))
    opacity[19, 0] = 255
    painted = read_painting([add_square([layer(opacity)], (40, 20), 0.5, left, top)], 40, 20)
    expected = opacity > 0
    expected[box[1] : box[1] + 10, box[0] : box[0] + 10] = True
    assert (painted.numpy() == expected).all()


def test_what_is_placed_is_seen():
    seen = np.array(paint_over(Image.new("RGB", (40, 20), "white"), add_square([], (40, 20), 0.5, 0, 0)), dtype=float)
    opacity = PAINT[3] / 255
    assert np.abs(seen[:10, :10] - (np.array(PAINT[:3]) * opacity + 255 * (1 - opacity))).max() <= 1
    assert (seen[10:] == 255).all()


def test_a_data_url_holds_the_image():
    kind, _, content = to_url(Image.new("RGB", (8, 8), (10, 200, 30))).partition(",")
    assert kind == "data:image/jpeg;base64"
    pixels = np.array(Image.open(BytesIO(base64.b64decode(content))), dtype=int)
    assert np.abs(pixels - [10, 200, 30]).max() <= 2
