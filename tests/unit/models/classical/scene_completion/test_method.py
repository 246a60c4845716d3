import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage.color import rgb2lab

from pose_inpaint.data.images import open_image, read_image, resize, to_bytes, to_image, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.gist import SceneFilters
from pose_inpaint.models.classical.scene_completion.index import build_index, read_index
from pose_inpaint.models.classical.scene_completion.method import SceneCompletion, find_holes, lay_over
from pose_inpaint.models.classical.scene_completion.seam import choose_scene_pixels
from pose_inpaint.types import EMPTY


def index_of(folder):
    index = build_index(((p.name, p) for p in sorted(folder.iterdir())), SceneFilters())
    index.save(folder.parent / "other.scenes")
    return str(folder.parent / "other.scenes")


def context_distance(known, masked, scene, band):
    """Context distance of an aligned scene, weighted by the holes' areas, pixel by pixel by scikit-image and NumPy."""
    outside = np.argwhere(~masked)
    filled = known.copy()
    for pixel in np.argwhere(masked):
        nearest = ((outside - pixel) ** 2).sum(1)
        filled[tuple(pixel)] = known[tuple(outside[nearest.argmin()])]  # ties matter little
    squares = np.zeros(masked.shape)
    ours, theirs = rgb2lab(filled), rgb2lab(scene)
    squares += ((ours - theirs) ** 2).sum(2)
    squares += (np.hypot(*np.gradient(ours[..., 0])) - np.hypot(*np.gradient(theirs[..., 0]))) ** 2
    labels, count = ndimage.label(masked, np.ones((3, 3)))
    areas = [(labels == hole).sum() for hole in range(1, count + 1)]
    near = [~masked & (ndimage.distance_transform_edt(labels != hole) <= band) for hole in range(1, count + 1)]
    return sum(a * np.sqrt(squares[n].mean()) for a, n in zip(areas, near, strict=True)) / sum(areas)


@pytest.mark.parametrize("height", [48, 96])
def test_an_original_at_its_own_place_is_compared_without_the_holes_black(tiny_data, tmp_path, height):
    image = to_signed(read_image(tiny_data / "test/Y/001.png"))
    image = resize(image, height, 40).clamp(-0.6, 1)
    mask = torch.zeros(1, height, 40)
    mask[:, 14:26, 12:22] = mask[:, 31:36, 30:37] = 1  # 3 pixels away from each other's band, 12 x 10 and 5 x 7
    (tmp_path / "scenes").mkdir()
    altered = to_bytes(image)
    altered[:, 0, 0] = 255 - altered[:, 0, 0]  # so that it isn't the image itself
    to_image(altered).save(tmp_path / "scenes" / "altered.png")
    known = torch.where(mask > 0, EMPTY, to_signed(to_bytes(image)))
    method = SceneCompletion(index_of(tmp_path / "scenes"), same=0)
    ((source,),) = method(known[None], mask[None]).sources
    arrays = [(each.permute(1, 2, 0).double().numpy() + 1) / 2 for each in (known, to_signed(altered))]
    expected = context_distance(arrays[0], mask[0].numpy() > 0, arrays[1], round(0.078125 * height))
    assert source.distance == pytest.approx(expected, rel=0.05)
    assert source.distance < 3


def test_holes_of_unequal_size_weigh_by_their_area(tiny_data, tmp_path):
    scene = to_signed(read_image(tiny_data / "train/Y/003.png"))
    (tmp_path / "scenes").mkdir()
    to_image(to_bytes(scene)).save(tmp_path / "scenes" / "scene.png")
    mask = torch.zeros(1, 48, 40)
    mask[:, 8:22, 6:20] = mask[:, 36:39, 30:32] = 1
    known = torch.where(mask > 0, EMPTY, scene)
    known[:, 30:] = torch.where(mask[:, 30:] > 0, EMPTY, -scene[:, 30:])  # only the small hole's surroundings differ
    method = SceneCompletion(index_of(tmp_path / "scenes"), scales=[1.0])
    holes = find_holes(mask[0] > 0, 4)
    features = method.matcher.features(torch.where(mask > 0, scene, known))  # its texture beside holes is exact
    large, small = (each.distance for each in method.matcher.place(features, holes, scene))
    assert large < 0.1 < 10 < small
    ((source,),) = method(known[None], mask[None]).sources
    assert source.distance == pytest.approx((196 * large + 6 * small) / 202, abs=1.5)


def test_of_scenes_that_fit_equally_the_more_similar_one_is_taken_then_the_first(tiny_data, tmp_path, query):
    known, mask = query
    image = to_signed(read_image(tiny_data / "test/Y/001.png"))
    (tmp_path / "scenes").mkdir()
    mask = torch.zeros_like(mask)
    mask[..., 8:16, 10:20] = 1
    known = torch.where(mask > 0, EMPTY, image[None])
    for name, shade in {"a": 0.9, "b": -0.2, "c": -0.2, "d": 0.3}.items():
        scene = image.clone()
        scene[:, 26:] = scene[:, 26:] * (1 - abs(shade)) + shade  # far from the hole
        scene[:, -1, -1] = ord(name) / 128 - 1  # files differ
        to_image(to_bytes(scene)).save(tmp_path / "scenes" / f"{name}.png")
    ((*sources,),) = SceneCompletion(index_of(tmp_path / "scenes"), same=0)(known, mask, samples=4).sources
    assert len({source.distance for source in sources}) == 1
    assert [source.name for source in sources][-2:] == ["d.png", "a.png"]
    assert {source.name for source in sources[:2]} == {"b.png", "c.png"}


def test_the_seam_is_told_of_other_holes_and_of_what_the_scene_does_not_cover(tiny_index, query, monkeypatch):
    known, mask = query
    mask = torch.zeros_like(mask)
    mask[..., 14:26, 12:22] = mask[..., 28:33, 20:27] = 1
    told, laid = [], []

    def choose(image, scene, masked, free, unknown, keep):
        told.append(unknown)
        return choose_scene_pixels(image, scene, masked, free, unknown, keep)

    def lay(*arguments):
        laid.append(lay_over(*arguments))
        return laid[-1]

    monkeypatch.setattr(f"{SceneCompletion.__module__}.choose_scene_pixels", choose)
    monkeypatch.setattr(f"{SceneCompletion.__module__}.lay_over", lay)
    SceneCompletion(str(tiny_index), scales=[0.9])(known, mask)  # too small to cover the image
    (_, second), (of_first, of_second) = find_holes(mask[0, 0] > 0, 4), [~covered for _, covered in laid]
    assert of_first.any()
    assert not of_first[second.masked.numpy()].any()
    np.testing.assert_array_equal(told[0], of_first | second.masked.numpy())
    np.testing.assert_array_equal(told[1], of_second)  # the first hole is filled by then


def test_scenes_are_ranked_by_both_distances_in_equal_parts(tiny_index, query):
    known, mask = query
    method = SceneCompletion(str(tiny_index))
    candidates = method._candidates(known[0], mask[0], find_holes(mask[0, 0] > 0, 4), 1)
    context, scene = (np.array([getattr(c, key) for c in candidates]) for key in ("distance", "scene_distance"))
    total = context / context.mean() + scene / scene.mean()
    assert (np.diff(total) >= 0).all()
    assert len(candidates) == 12
    assert (np.diff(context) < 0).any()
    assert (np.diff(scene) < 0).any()


def test_scenes_of_two_sizes(tiny_data, tmp_path, query):
    known, mask = query
    (tmp_path / "scenes").mkdir()
    small = read_image(tiny_data / "train/Y/000.png")[:, :11, :30]  # lower than the larger hole
    to_image(small).save(tmp_path / "scenes" / "small.png")
    large = resize(to_signed(read_image(tiny_data / "train/Y/001.png")), 70, 96)
    large[:, 15:63, 40:80] = to_signed(read_image(tiny_data / "test/Y/001.png"))
    to_image(to_bytes(large)).save(tmp_path / "scenes" / "large.png")
    method = SceneCompletion(index_of(tmp_path / "scenes"))
    output = method(known, mask)
    ((source,),) = output.sources
    assert (source.name, source.near_duplicate) == ("large.png", True)
    hole = mask[0, 0] > 0
    original = to_signed(read_image(tiny_data / "test/Y/001.png"))
    assert (output.raw[0, 0] - original)[:, hole].abs().mean() < 0.03
    with pytest.raises(InputError, match="only 1 of its images"):
        method(known, mask, samples=2)


def test_a_hole_whose_surroundings_are_all_free_keeps_its_border(tiny_data, tmp_path, query):
    _, mask = query
    image = to_signed(read_image(tiny_data / "test/Y/001.png"))
    (tmp_path / "scenes").mkdir()
    to_image(to_bytes(image * 0.6 + 0.3)).save(tmp_path / "scenes" / "brighter.png")
    mask = torch.zeros_like(mask)
    mask[..., 2:46, 2:38] = 1  # a frame of 2 pixels is known, all of it near the hole
    known = torch.where(mask > 0, EMPTY, image[None])
    method = SceneCompletion(index_of(tmp_path / "scenes"), scales=[1.0], shift=1e6)  # not shifted: it covers the image
    raw = method(known, mask).raw[0, 0]
    frame = torch.ones(48, 40, dtype=torch.bool)
    frame[2:46, 2:38] = False
    torch.testing.assert_close(raw[:, frame], image[:, frame])
    # With the border's brightness the scene is nearer to the image than before.
    hole = mask[0, 0] > 0
    assert (raw - image)[:, hole].abs().mean() < 0.7 * (image * 0.4 - 0.3)[:, hole].abs().mean()


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
    method.near_duplicate = second.distance
    assert [source.near_duplicate for source in method(known, mask, samples=2).sources[0]] == [True, True]
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
