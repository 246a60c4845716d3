import io
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pose_inpaint.data.images import (
    describe_others,
    image_size,
    list_images,
    list_others,
    open_image,
    read_image,
    resize,
    save_image,
    to_bytes,
    to_image,
    to_signed,
    to_tensor,
)
from pose_inpaint.errors import InputError


def palette_image():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([1, 0])
    return image


def colours(path):
    """The pixels, row by row."""
    return [tuple(pixel) for row in read_image(path).permute(1, 2, 0).tolist() for pixel in row]


def test_reads_three_channels_of_bytes_row_by_row(tmp_path):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.dtype == torch.uint8
    assert read.shape == (3, 2, 3)
    assert (read.numpy() == pixels.transpose(2, 0, 1)).all()


def test_grey_becomes_three_equal_channels(tmp_path):
    Image.fromarray(np.array([[7, 200]], dtype=np.uint8)).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [(7, 7, 7), (200, 200, 200)]


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[65535, 51400, 32896, 257, 128, 129, 0]], dtype=np.uint16)).save(tmp_path / "a.png")
    assert [red for red, _, _ in colours(tmp_path / "a.png")] == [255, 200, 128, 1, 0, 1, 0]


@pytest.mark.parametrize("scale", [1, 255])
def test_floating_point_grey_is_scaled(tmp_path, scale):
    Image.fromarray(np.array([[0, 0.2, 100.6 / 255, 1]], dtype=np.float32) * scale).save(tmp_path / "a.tif")
    assert [red for red, _, _ in colours(tmp_path / "a.tif")] == [0, 51, 101, 255]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([[-1, 0.5]], dtype=np.float32), "mode F from -1 to 0.5, not 0 to 1 or 0 to 255"),
        (np.array([[0, 1.5]], dtype=np.float32), "mode F from 0 to 1.5"),
        (np.array([[0, 1000]], dtype=np.float32), "mode F from 0 to 1000"),
        (np.array([[0, np.nan]], dtype=np.float32), "mode F from nan to nan"),
        (np.array([[3, 250]], dtype=np.uint16), "mode I;16 from 3 to 250, not 0 to 65535"),
        (np.array([[-5, 250]], dtype=np.int32), "mode I from -5 to 250"),
        (np.array([[0, 70000]], dtype=np.int32), "mode I from 0 to 70000"),
    ],
)
def test_pixels_of_an_unknown_range_are_named(tmp_path, values, says):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=rf"a\.tif: pixels of {says}"):
        open_image(tmp_path / "a.tif")


def test_palette_colours_are_resolved(tmp_path):
    palette_image().save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [(40, 50, 60), (10, 20, 30)]


@pytest.mark.parametrize("transparency", [0, bytes([0, 128])])
def test_transparent_palette_keeps_its_colours(tmp_path, transparency):
    palette_image().save(tmp_path / "a.png", transparency=transparency)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert colours(tmp_path / "a.png") == [(40, 50, 60), (10, 20, 30)]


def test_alpha_is_dropped_not_blended(tmp_path):
    Image.fromarray(np.array([[[1, 2, 3, 0], [4, 5, 6, 128]]], dtype=np.uint8)).save(tmp_path / "a.png")
    assert colours(tmp_path / "a.png") == [(1, 2, 3), (4, 5, 6)]


def test_cmyk_becomes_rgb(tmp_path):
    inks = np.zeros((8, 8, 4), dtype=np.uint8)
    inks[..., 0] = 255  # cyan ink removes all red
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    assert set(colours(tmp_path / "a.tif")) == {(0, 255, 255)}


def test_rotation_of_exif_is_applied(tmp_path):
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    read = read_image(tmp_path / "a.png")
    assert read.shape == (3, 3, 2)
    assert read[0].nonzero().tolist() == [[0, 1]]


def png_bytes():
    data = io.BytesIO()
    Image.effect_noise((40, 30), 50).save(data, format="PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "empty file"),
        (b"This is a letter, not an image.\n", "not an image"),
        (b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj\n", "not an image"),
        (png_bytes()[:400], "damaged or truncated"),
        (png_bytes()[:20], "not an image|damaged"),
    ],
    ids=["missing", "empty", "text", "pdf", "truncated", "header only"],
)
def test_unreadable_files_are_reported_in_one_line(tmp_path, content, says):
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        open_image(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_folder_with_an_images_name_is_an_input_error(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"folder\.png"):
        open_image(tmp_path / "folder.png")


def test_broken_exif_is_an_input_error(tmp_path, monkeypatch):
    def fail(_):
        raise TypeError("bad operand type for abs(): 'str'")  # Pillow's error for a JPEG with a flipped byte

    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    monkeypatch.setattr("pose_inpaint.data.images.ImageOps.exif_transpose", fail)
    with pytest.raises(InputError, match="damaged"):
        open_image(tmp_path / "a.png")


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
@pytest.mark.parametrize("form", ["png", "jpeg", "tiff"])
def test_flipped_bytes_never_raise_anything_else(tmp_path_factory, form, changes):
    data = io.BytesIO()
    Image.linear_gradient("L").resize((16, 12)).convert("RGB").save(data, format=form)
    content = bytearray(data.getvalue())
    for offset, value in changes:
        content[offset % len(content)] = value
    path = tmp_path_factory.getbasetemp() / f"flipped.{form}"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            channels, message = read_image(path).shape[0], str(path)
        except InputError as error:
            channels, message = 3, str(error)
    assert channels == 3
    assert str(path) in message


def test_all_bytes_survive_a_round_trip():
    values = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    signed = to_signed(values)
    assert (signed.min(), signed.max()) == (-1, 1)
    assert torch.equal(to_bytes(signed), values)


@pytest.mark.parametrize(("signed", "byte"), [(-1.5, 0), (1.5, 255), (0.0, 128), (0.99, 254), (-0.997, 0)])
def test_bytes_are_rounded_and_clipped(signed, byte):
    assert to_bytes(torch.full((3, 1, 1), signed)).unique().tolist() == [byte]


def test_tensor_and_image_conversions_are_inverse():
    pixels = torch.arange(3 * 2 * 5, dtype=torch.uint8).reshape(3, 2, 5)
    assert to_image(pixels).size == (5, 2)
    assert torch.equal(to_tensor(to_image(pixels)), pixels)


def test_resizing_averages_and_ignores_the_aspect_ratio():
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(3, 4, 16)
    small = resize(stripes, 2, 4)
    assert small.shape == (3, 2, 4)
    assert (small[:, :, 1:3] - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("shape", [(128, 96), (300, 77), (40, 200)])
def test_resizing_as_opencv_does(shape):
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (48, 64)).astype(int)  # INTER_LINEAR is its default; width comes first
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    found = resize(image, 64, 48, "opencv").permute(1, 2, 0).numpy().astype(int)
    assert np.abs(found - expected).max() <= 1  # OpenCV rounds its weights to 11 bits
    floats = resize(to_signed(image), 64, 48, "opencv").permute(1, 2, 0).numpy()
    np.testing.assert_allclose(floats, cv2.resize(pixels.astype(np.float32) / 127.5 - 1, (48, 64)), atol=1e-4)
    if shape != (40, 200):
        smooth = resize(image, 64, 48).permute(1, 2, 0).numpy().astype(int)
        assert np.abs(smooth - expected).mean() > 10


def test_resizing_to_the_same_size_changes_nothing():
    image = torch.rand(3, 5, 7)
    assert resize(image, 5, 7) is image


def test_saving_makes_folders_and_leaves_one_file(tmp_path):
    pixels = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
    save_image(to_image(pixels), tmp_path / "deep" / "er" / "a.png")
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["a.png"]
    assert torch.equal(read_image(tmp_path / "deep" / "er" / "a.png"), pixels)


def test_an_interrupted_save_leaves_no_image(tmp_path, monkeypatch):
    def stop(self, path, **_):
        path.write_bytes(b"half of an ima")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        save_image(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
    assert list_images(tmp_path) == {}


@pytest.fixture
def no_heif(monkeypatch):
    """pillow-heif is not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("pose_inpaint.data.images.find_spec", lambda _: None)


def test_images_are_listed_by_name_without_other_files(tmp_path, no_heif):
    for name in ("b.PNG", "a.jpeg", ".masked.png", "notes.txt", "sub/c.webp", "sub/d.heic", "maskdata.json", ".x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(list_images(tmp_path)) == ["a.jpeg", "b.PNG"]
    assert list(list_images(tmp_path, recursive=True)) == ["a.jpeg", "b.PNG", "sub/c.webp"]
    assert list_images(tmp_path, recursive=True)["sub/c.webp"] == tmp_path / "sub" / "c.webp"
    assert list(list_others(tmp_path)) == ["notes.txt", "sub/d.heic"]


def test_a_missing_folder_lists_nothing(tmp_path):
    assert list_images(tmp_path / "none") == {}


def test_without_pillow_heif_the_extra_is_named(tmp_path, no_heif):
    (tmp_path / "a.HEIC").write_bytes(b"x")
    assert list_images(tmp_path) == {}
    listed = describe_others(list_others(tmp_path))
    assert listed == "a.HEIC (pip install 'pose-inpaint[heif]' reads HEIC)"
    assert describe_others(["a.txt", "b"]) == "a.txt, b"
    for read in (open_image, image_size):
        with pytest.raises(InputError, match=r"a\.HEIC: .*HEIC needs pillow-heif: pip install 'pose-inpaint\[heif\]'"):
            read(tmp_path / "a.HEIC")


def test_heic_is_read_with_pillow_heif_which_turns_it_itself(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6  # of HEIC, this tag doesn't count
    pixels = np.zeros((32, 48, 3), dtype=np.uint8)
    pixels[:16, :16] = 255
    Image.fromarray(pixels).save(tmp_path / "a.heic", exif=exif, quality=100)
    assert list(list_images(tmp_path)) == ["a.heic"]
    assert image_size(tmp_path / "a.heic") == (32, 48)
    read = read_image(tmp_path / "a.heic")
    assert read.shape == (3, 32, 48)
    assert (read[0].float() / 255).round()[::8, ::8].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_huge_image_is_reported_with_its_size_and_the_limit(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    for read in (open_image, image_size):
        with pytest.raises(
            InputError, match=r"a\.png: .*\(400000000 pixels\) exceeds limit of 178956970 pixels"
        ) as error:
            read(tmp_path / "a.png")
        assert "scale it down, or cut out a part" in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_that_may_not_be_read_is_reported(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(InputError, match=r"a\.png: can't be read \(Permission denied\); change its permissions"):
        open_image(tmp_path / "a.png")
