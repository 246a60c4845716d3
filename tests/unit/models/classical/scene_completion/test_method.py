import io

import pytest
import torch
from PIL import Image

from pose_inpaint.data.images import open_image, read_image, to_image, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.gist import SceneFilters
from pose_inpaint.models.classical.scene_completion.index import build_index, read_index
from pose_inpaint.models.classical.scene_completion.method import SceneCompletion, find_holes
from pose_inpaint.types import EMPTY


def index_of(folder):
    index = build_index(((p.name, p) for p in sorted(folder.iterdir())), SceneFilters())
    index.save(folder.parent / "other.scenes")
    return str(folder.parent / "other.scenes")


@pytest.fixture
def query(tiny_data):
    """Test image of 48 x 40 pixels with two holes, the second at the corner."""
    mask = torch.zeros(1, 1, 48, 40)
    mask[..., 14:26, 12:22] = mask[..., 40:, 34:] = 1
    image = to_signed(read_image(tiny_data / "test/Y/001.png"))[None]
    return torch.where(mask > 0, EMPTY, image), mask


@pytest.mark.parametrize("seam", ["cut", "hole"])
def test_pixels_beyond_the_band_are_the_images_and_holes_are_filled(tiny_index, query, seam):
    known, mask = query
    raw = SceneCompletion(str(tiny_index), seam=seam)(known, mask).raw[0, 0]
    near = torch.zeros(48, 40, dtype=torch.bool)
    for hole in find_holes(mask[0, 0] > 0, 4 if seam == "cut" else 0):  # 0.078 of 48 pixels
        near |= hole.masked | hole.context
    torch.testing.assert_close(raw[:, ~near], known[0][:, ~near])
    assert raw.isfinite().all()
    assert (raw[:, mask[0, 0] > 0] - EMPTY).abs().mean() > 0.3


def test_a_slightly_brighter_duplicate_inpaints_the_image_and_is_reported(tiny_data, tmp_path, query):
    known, mask = query
    original = to_signed(read_image(tiny_data / "test/Y/001.png"))
    (tmp_path / "duplicates").mkdir()
    for path in (tiny_data / "train/Y").iterdir():
        open_image(path).save(tmp_path / "duplicates" / path.name)
    brighter = ((original * 0.8 + 0.2) + 1) / 2 * 255
    to_image(brighter.round().byte()).save(tmp_path / "duplicates" / "duplicate.png")
    method = SceneCompletion(index_of(tmp_path / "duplicates"), same=0.01, near_duplicate=20)
    output = method(known, mask, samples=2)
    (first, second) = output.sources[0]
    assert (first.name, first.near_duplicate, second.near_duplicate) == ("duplicate.png", True, False)
    assert first.distance < second.distance
    hole = mask[0, 0] > 0
    good, worse = ((output.raw[0, s] - original)[:, hole].abs().mean() for s in (0, 1))
    assert good < 0.1 < worse  # blended towards the darker border
    assert output.detach().sources == output.sources


def test_the_image_itself_mirrored_smaller_or_compressed_is_not_copied(tiny_data, tmp_path, query):
    known, mask = query
    image = open_image(tiny_data / "test/Y/001.png")
    (tmp_path / "copies").mkdir()
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=75)
    copies = {
        "copy": image,
        "jpeg": Image.open(buffer),
        "mirrored": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "smaller": image.resize((30, 36), Image.Resampling.BICUBIC),
    }
    for name, copy in copies.items():
        copy.save(tmp_path / "copies" / f"{name}.png")
    with pytest.raises(InputError, match="only 0 of its images"):
        SceneCompletion(index_of(tmp_path / "copies"))(known, mask)
    open_image(tiny_data / "train/Y/000.png").save(tmp_path / "copies" / "another.png")
    ((source,),) = SceneCompletion(index_of(tmp_path / "copies"))(known, mask).sources
    assert source.name == "another.png"


def test_samples_come_from_different_images_best_first(tiny_index, query):
    known, mask = query
    method = SceneCompletion(str(tiny_index))
    output = method(known.repeat(2, 1, 1, 1), mask.repeat(2, 1, 1, 1), samples=5)
    assert output.raw.shape == (2, 5, 3, 48, 40)
    assert len({source.name for source in output.sources[0]}) == 5
    assert method(known, mask).sources[0][0] == output.sources[0][0]
    torch.testing.assert_close(method(known, mask).raw[0, 0], output.raw[1, 0])
    with pytest.raises(InputError, match=r"only 12 .* asked for 13"):
        method(known, mask, samples=13)


def test_a_completely_masked_image_raises_and_a_known_one_stays(tiny_index, query):
    known, mask = query
    method = SceneCompletion(str(tiny_index))
    with pytest.raises(InputError, match="completely masked"):
        method(torch.full_like(known, EMPTY), torch.ones_like(mask))
    torch.testing.assert_close(method(known, torch.zeros_like(mask)).raw[:, 0], known)


def test_larger_images_are_inpainted_as_long_as_their_holes_fit(tiny_index):
    mask = torch.zeros(1, 1, 90, 120)
    mask[..., 20:50, 30:62] = 1
    known = torch.where(mask > 0, EMPTY, torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(0)))
    assert SceneCompletion(str(tiny_index))(known, mask).raw.shape == (1, 1, 3, 90, 120)
    mask[..., 20:50, 30:72] = 1
    with pytest.raises(InputError, match="at most 48x40 pixels, but a hole needs 30x42"):
        SceneCompletion(str(tiny_index))(known, mask)


def test_images_that_are_missing_or_changed_are_named(tiny_data, tiny_index, query):
    path = tiny_data / "train/Y/004.png"
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(InputError, match=r"004\.png: listed in model\.index, but no such file"):
        SceneCompletion(str(tiny_index))(*query)
    path.write_bytes((tiny_data / "train/Y/005.png").read_bytes())
    with pytest.raises(InputError, match=r"004\.png: changed since"):
        SceneCompletion(str(tiny_index))(*query)
    path.write_bytes(content)
    SceneCompletion(str(tiny_index))(*query)


def test_files_that_are_not_an_index(tiny_index, tmp_path, tiny_checkpoint):
    (tmp_path / "text").write_text("hello")
    content = torch.load(tiny_index, weights_only=True)
    torch.save({**content, "version": 99}, tmp_path / "newer")
    torch.save({key: value for key, value in content.items() if key != "sizes"}, tmp_path / "cut")
    for name, word in {"none": "no such file", "text": "not a", "newer": "version 1", "cut": "damaged"}.items():
        with pytest.raises(InputError, match=rf"model\.index={tmp_path}/{name}: .*{word}.*pose_inpaint\.index"):
            read_index(str(tmp_path / name))
    with pytest.raises(InputError, match="not a scene index"):
        read_index(str(tiny_checkpoint))


def test_a_missing_extra_names_the_command_that_installs_it(tiny_index, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse.csgraph", None)
    with pytest.raises(InputError, match=r"pip install 'pose-inpaint\[scenes\]'"):
        SceneCompletion(str(tiny_index))


@pytest.mark.parametrize(
    ("key", "value"),
    [("scenes", 0), ("band", 0), ("scales", []), ("texture", -1), ("shift", -1), ("seam", "zip"), ("same", -0.1)],
)
def test_settings_out_of_range(tiny_index, key, value):
    with pytest.raises(InputError, match=rf"model\.{key}="):
        SceneCompletion(str(tiny_index), **{key: value})
