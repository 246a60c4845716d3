import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.errors import InputError
from pose_inpaint.models.classical.scene_completion.gist import SceneFilters
from pose_inpaint.models.classical.scene_completion.index import build_index, read_index


@pytest.fixture
def index(tmp_path):
    random = np.random.default_rng(0)
    for number in range(40):
        coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize((36, 30), Image.Resampling.BICUBIC).save(tmp_path / f"{number:02}.png")
    return build_index(((path.name, path) for path in sorted(tmp_path.glob("*.png"))), SceneFilters(4, 3))


ALL = torch.ones(40, dtype=torch.bool)


def test_gist_counts_twice_as_much_as_colour_on_average(index):
    d = index.descriptors.double()
    apart = (d[:, None] - d[None]).square().sum(2)  # between all pairs
    assert float(apart[..., :-3].sum(-1).mean()) == pytest.approx(2, rel=1e-4)
    assert float(apart[..., -3:].sum(-1).mean()) == pytest.approx(1, rel=1e-4)


def test_the_nearest_of_an_image_is_itself_and_distances_are_exact(index):
    query, share = index.filters.describe(index.image(7))
    share = torch.linspace(0, 1, 16)
    indices, distances = index.nearest(query, share, 40, ALL)
    assert indices[0] == 7
    assert distances[0] == pytest.approx(0, abs=1e-6)
    weight = (share / share.mean()).numpy()
    by_hand = ((index.descriptors - index.descriptors[7]).numpy() ** 2 * weight[:, None]).sum((1, 2))
    assert indices == np.argsort(by_hand, kind="stable").tolist()
    np.testing.assert_allclose(distances, np.sort(by_hand), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("i", [3, 21])
def test_faiss_finds_what_the_exact_search_finds(index, i):
    query, _ = index.filters.describe(index.image(i))
    share, usable = torch.rand(16, generator=torch.Generator().manual_seed(i)), ALL.clone()
    usable[[i, 5]] = False
    exact = index.nearest(query, share, 6, usable)
    assert index.nearest(query, share, 6, usable, faiss_from=1) == exact
    assert not {i, 5} & set(exact[0])


def test_faiss_missing_names_the_command(index, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    query, share = index.filters.describe(index.image(0))
    assert index.nearest(query, share, 3, ALL)[0][0] == 0
    with pytest.raises(InputError, match=r"pip install 'pose-inpaint\[scenes\]'"):
        index.nearest(query, share, 3, ALL, faiss_from=40)


def test_it_is_read_back_as_written(index, tmp_path):
    index.save(tmp_path / "a.scenes")
    back = read_index(str(tmp_path / "a.scenes"))
    assert torch.equal(back.descriptors, index.descriptors)
    assert (back.names, back.digests, back.filters) == (index.names, index.digests, index.filters)
    assert back.sizes.tolist() == [[30, 36]] * 40
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".png") == ["a.scenes"]


def test_no_images_raise():
    with pytest.raises(InputError, match="no image to index"):
        build_index([], SceneFilters())
