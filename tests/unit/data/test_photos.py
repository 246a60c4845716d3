import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from pose_inpaint.data.images import to_image
from pose_inpaint.data.photos import is_own_image, read_photo, save_photo
from pose_inpaint.errors import InputError

Base, IFD = ExifTags.Base, ExifTags.IFD
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
EVERY = ("png", "jpg", "jpeg", "webp", "tif", "tiff")


def camera_exif(orientation=6):
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Make], exif[Base.Software] = orientation, "Maker", "Camera 1.0"
    exif[IFD.Exif] = {
        Base.DateTimeOriginal: "2020:01:02 03:04:05", Base.ExifImageWidth: 30, Base.ExifImageHeight: 20,
        Base.MakerNote: b"offsets and a preview",
    }  # fmt: skip
    exif[IFD.GPSInfo] = {1: "N", 2: (48.0, 30.0, 15.5)}
    return exif


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("output", ["png", "jpg", "webp", "tif"])
def test_metadata_are_kept_and_the_orientation_is_applied_once(tmp_path, kind, output):
    Image.fromarray(PIXELS).save(tmp_path / f"a.{kind}", exif=camera_exif().tobytes(), icc_profile=SRGB, dpi=(300, 300))
    photo = read_photo(tmp_path / f"a.{kind}")
    assert photo.pixels.shape == (3, 30, 20)
    assert photo.left_out == ()
    if kind == "png":
        assert (photo.pixels.permute(1, 2, 0).numpy() == np.rot90(PIXELS, -1)).all()
    save_photo(to_image(photo.pixels), tmp_path / f"out.{output}", **photo.info)
    with Image.open(tmp_path / f"out.{output}") as saved:
        exif = saved.getexif()
        assert saved.size == (20, 30)
        assert saved.info["icc_profile"] == SRGB
        if kind in ("jpg", "png", "tif"):  # the others have no place for it but EXIF, where Pillow doesn't write it
            resolution = saved.info["dpi"] if output != "webp" else (exif[Base.XResolution], exif[Base.YResolution])
            assert [float(value) for value in resolution] == pytest.approx((300, 300), abs=0.05)
        assert exif.get(Base.Orientation, 1) == 1
        assert (exif[Base.Make], exif[Base.Software]) == ("Maker", "pose_inpaint")
        block, place = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
        assert block[Base.DateTimeOriginal] == "2020:01:02 03:04:05"
        assert (block[Base.ExifImageWidth], block[Base.ExifImageHeight]) == (20, 30)
        assert Base.MakerNote not in block
        assert (place[1], [float(value) for value in place[2]]) == ("N", [48.0, 30.0, 15.5])


def with_preview(exif, thumbnail):
    """EXIF bytes whose second directory points to a thumbnail, as cameras write it and Pillow doesn't."""
    header, tiff = exif.tobytes()[:6], bytearray(exif.tobytes()[6:])
    order = "<" if tiff[:2] == b"II" else ">"
    (entries,) = struct.unpack_from(f"{order}H", tiff, 8)
    struct.pack_into(f"{order}L", tiff, 10 + 12 * entries, len(tiff))
    data = len(tiff) + 2 + 2 * 12 + 4
    directory = struct.pack(f"{order}HHHLLHHLLL", 2, 513, 4, 1, data, 514, 4, 1, len(thumbnail), 0)
    return header + bytes(tiff) + directory + thumbnail


def test_a_preview_of_the_original_is_not_kept(tmp_path):
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(thumbnail, format="JPEG")
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=with_preview(camera_exif(1), thumbnail.getvalue()))
    assert thumbnail.getvalue() in (tmp_path / "a.jpg").read_bytes()
    with Image.open(tmp_path / "a.jpg") as original:
        assert original.getexif().get_ifd(IFD.IFD1)[514] == len(thumbnail.getvalue())
    read = read_photo(tmp_path / "a.jpg")
    save_photo(to_image(read.pixels), tmp_path / "out.jpg", **read.info)
    written = (tmp_path / "out.jpg").read_bytes()
    assert b"Maker" in written
    assert thumbnail.getvalue() not in written
    assert b"preview" not in written


def test_exif_data_that_cannot_be_copied_are_named(tmp_path, monkeypatch):
    def fail(_):
        raise TypeError("bad operand type")

    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=camera_exif(1))
    monkeypatch.setattr(Image.Exif, "tobytes", fail)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.left_out == ("its EXIF data can't be copied (bad operand type)",)
    assert "exif" not in photo.info


@pytest.mark.parametrize("kind", ["png", "tif", "tiff"])
def test_lossless_formats_keep_every_pixel(tmp_path, kind):
    save_photo(Image.fromarray(PIXELS), tmp_path / f"a.{kind}")
    assert (np.array(Image.open(tmp_path / f"a.{kind}")) == PIXELS).all()


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_a_lower_quality_takes_fewer_bytes(tmp_path, kind):
    sizes = []
    for quality in (30, 95):
        save_photo(Image.fromarray(PIXELS), tmp_path / f"a.{kind}", quality=quality)
        sizes.append((tmp_path / f"a.{kind}").stat().st_size)
    assert sizes[0] < sizes[1]


def test_profile_and_resolution_are_kept_where_they_fit(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.jpg", icc_profile=SRGB, dpi=(300, 200))
    Image.new("L", (3, 2)).save(tmp_path / "grey.png", icc_profile=SRGB[:16] + b"GRAY" + SRGB[20:])
    photo = read_photo(tmp_path / "a.jpg")
    save_photo(to_image(photo.pixels), tmp_path / "out.png", **photo.info)
    with Image.open(tmp_path / "out.png") as saved:
        assert saved.info["icc_profile"] == SRGB
        assert saved.info["dpi"] == pytest.approx((300, 200), abs=0.05)
    assert read_photo(tmp_path / "grey.png").info == {}  # the output has three channels


@pytest.mark.parametrize("kind", EVERY)
def test_only_files_that_were_saved_here_are_own(tmp_path, kind):
    save_photo(Image.new("RGB", (2, 2)), tmp_path / f"own.{kind}")
    Image.new("RGB", (2, 2)).save(tmp_path / f"other.{kind}", exif=camera_exif().tobytes())
    (tmp_path / f"text.{kind}").write_text("edited by hand")
    own = [is_own_image(tmp_path / f"{name}.{kind}") for name in ("own", "other", "text", "none")]
    assert own == [True, False, False, False]


def test_transparency_that_jpeg_cannot_store_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"which JPEG can't store; give output\.suffix=png"):
        save_photo(Image.new("RGBA", (2, 2)), tmp_path / "a.jpg")
    save_photo(Image.new("RGBA", (2, 2), (1, 2, 3, 77)), tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as saved:
        assert saved.getpixel((0, 0))[3] == 77


@pytest.mark.parametrize(("kind", "width"), [("jpg", 65536), ("webp", 16384)])
def test_images_beyond_the_limits_of_a_format_are_an_error_that_leaves_nothing(tmp_path, kind, width):
    with pytest.raises(InputError, match=r"can't be written as (JPEG|WEBP) \(.*\); give output\.suffix=png"):
        save_photo(Image.new("RGB", (width, 1)), tmp_path / f"a.{kind}")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_taken_for_a_limit_of_the_format(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save_photo(Image.new("RGB", (2, 2)), tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif", "avif"])
def test_of_several_frames_the_first_is_read_and_the_others_are_named(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    lossless = {"lossless": True} if kind == "webp" else {}
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], **lossless)
    photo = read_photo(tmp_path / f"a.{kind}")
    assert photo.left_out == ("only the first of its 3 frames is used",)
    assert photo.pixels.float().mean((1, 2)).tolist() == pytest.approx([250, 0, 0], abs=6)


def test_the_second_image_of_a_camera_file_is_no_frame(tmp_path):
    image = Image.fromarray(PIXELS)
    image.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[image.resize((6, 4))])
    assert Image.open(tmp_path / "a.jpg").n_frames == 2
    assert read_photo(tmp_path / "a.jpg").left_out == ()
