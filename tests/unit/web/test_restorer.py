import sys

import numpy as np
import pytest
import torch
from PIL import Image

from pose_inpaint.api import Model
from pose_inpaint.errors import InputError
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.types import InpaintingOutput
from pose_inpaint.web.photos import PAINT
from pose_inpaint.web.restorer import Restorer, draw_pose, find_pose, load_models

PIXELS = np.random.default_rng(5).integers(60, 256, (20, 30, 3), dtype=np.uint8)
PHOTO = Image.fromarray(PIXELS)
PAINTED = torch.zeros(20, 30, dtype=torch.bool)
PAINTED[4:9, 10:25] = True
HOLE = PAINTED.numpy()


class Constant:
    """Inpainter that gives 0.2, 0.4, ... of white for its samples, at most `most`; remembers the sizes that it sees."""

    def __init__(self, most=9):
        self.most, self.sizes = most, []

    def __call__(self, known, mask, *, samples=1, generator=None):
        self.sizes.append(tuple(known.shape[-2:]))
        levels = 0.4 * torch.arange(1, min(samples, self.most) + 1).view(1, -1, 1, 1, 1) - 1
        return InpaintingOutput(levels.expand(len(known), -1, 3, *known.shape[-2:]))


def model(inpainter=None, learned=None):
    return Model("constant", ImageInpainter(inpainter or Constant(), learned))


def white():
    class White:
        def __call__(self, known, mask, *, samples=1, generator=None):
            return InpaintingOutput(torch.ones_like(known)[:, None])

    return model(White())


def test_each_method_fills_the_hole_and_nothing_else():
    restored = Restorer(model(), {"white": white()})(PHOTO, PAINTED)
    assert list(restored.shown) == ["Photo", "Painted", "Inpainted", "Raw output", "white"]
    shown = {caption: np.array(image) for caption, image in restored.shown.items()}
    for caption, level in (("Painted", PAINT[:3]), ("Inpainted", 51), ("white", 255)):
        assert (shown[caption][HOLE] == level).all(), caption
        assert (shown[caption][~HOLE] == PIXELS[~HOLE]).all(), caption
    assert (shown["Photo"] == PIXELS).all()
    assert (shown["Raw output"] == 51).all()
    assert (np.array(restored.samples[0]) == shown["Inpainted"]).all()
    assert set(restored.seconds) == {"Inpainted", "white"}


def test_samples_are_shown_and_kept():
    restored = Restorer(model(), {})(PHOTO, PAINTED, samples=3)
    assert [np.array(sample)[HOLE][0, 0] for sample in restored.samples] == [51, 102, 153]
    assert list(restored.shown) == ["Photo", "Painted", "Sample 1", "Sample 2", "Sample 3", "Raw output"]


@pytest.mark.parametrize(("most", "several"), [(1, False), (2, True)])
def test_whether_a_model_draws_samples_is_found_out(most, several):
    assert Restorer(model(Constant(most)), {}).draws_samples == several


def test_a_large_photo_is_inpainted_as_it_is_and_compared_as_it_is_shown():
    inpainter, other = Constant(), Constant()
    restorer = Restorer(model(inpainter, learned=16), {"other": model(other)})
    inpainter.sizes.clear()
    photo = Image.fromarray(np.tile(PIXELS, (1, 70, 1)))
    painted = PAINTED.repeat(1, 70)
    restored = restorer(photo, painted)
    assert restored.samples[0].size == (2100, 20)
    output = np.array(restored.samples[0])
    assert (output[~painted.numpy()] == np.array(photo)[~painted.numpy()]).all()
    assert {image.size for image in restored.shown.values()} == {(1024, 10)}
    assert inpainter.sizes[-1] == (16, 16)  # the raw output, at the size that was learned
    assert other.sizes == [(10, 1024)]


def test_what_leaves_nothing_known_when_it_is_shown_is_refused():
    painted = torch.ones(4, 4096, dtype=torch.bool)
    painted[:, ::8] = False
    with pytest.raises(InputError, match="Everything is painted"):
        Restorer(model(), {})(Image.new("RGB", (4096, 4)), painted)


class Estimator:
    """Finds a right ankle and knee, or nobody; remembers the images."""

    def __init__(self, found):
        self.found, self.images = found, []

    def __call__(self, images, near=None):
        self.images.append(images)
        joints = torch.zeros(1, 14, 3)
        joints[0, :2] = torch.tensor([[5.0, 10, 1], [25, 10, 0.5]])
        return Poses(joints, torch.tensor([self.found]), torch.zeros(1, 3, 2))


@pytest.mark.parametrize("found", [True, False])
def test_the_pose_is_drawn_on_the_first_output(found):
    estimator = Estimator(found)
    restored = Restorer(model(), {}, estimator)(PHOTO, PAINTED, samples=2, pose=True)
    first = np.array(restored.shown["Sample 1"])
    assert (estimator.images[0][0].mul(255).round().byte().permute(1, 2, 0).numpy() == first).all()
    assert (np.array(restored.shown["Pose"]) != first).any() == found
    assert "Pose" not in Restorer(model(), {}, estimator)(PHOTO, PAINTED).shown


def test_an_estimator_sees_the_size_that_it_learned():
    estimator = Estimator(True)
    estimator.learned = 10
    joints = find_pose(PHOTO, estimator)  # of 30 x 20 pixels
    assert estimator.images[0].shape == (1, 3, 10, 10)
    assert joints[0].tolist() == [5 * 3, 10 * 2, 1]


def test_a_limb_is_a_line_between_found_joints():
    joints = torch.zeros(14, 3)
    joints[:3] = torch.tensor([[5.0, 10, 1], [25, 10, 1], [25, 2, 0]])  # ankle, knee, and a hip that is not found
    drawn = np.array(draw_pose(Image.new("RGB", (30, 20)), joints))
    assert tuple(drawn[10, 15]) == PAINT[:3]
    assert tuple(drawn[10, 5]) == tuple(drawn[10, 25]) == (255, 255, 255)
    assert (drawn[:7] == 0).all()


def test_telea_is_compared_where_opencv_is_installed(monkeypatch):
    pytest.importorskip("cv2")
    first, others = load_models("mean", "push_pull", "cpu")
    assert (first.name, list(others)) == ("mean", ["push_pull", "Telea"])
    assert list(load_models("mean", "telea", "cpu")[1]) == ["telea"]
    assert load_models("telea", None, "cpu")[1] == {}
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert load_models("mean", None, "cpu")[1] == {}


@pytest.mark.parametrize(
    ("checkpoint", "beside", "says"),
    [("nothing", None, "checkpoint=nothing: no such file"), ("mean", "nothing", "beside=nothing: no such file")],
)
def test_a_model_that_cant_be_loaded_is_named_by_its_setting(checkpoint, beside, says):
    with pytest.raises(InputError, match=f"^{says}"):
        load_models(checkpoint, beside, "cpu")


def test_a_damaged_checkpoint_beside_is_named_by_its_setting(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(b"hello")
    with pytest.raises(InputError, match=f"^beside={tmp_path}/a.ckpt"):
        load_models("mean", str(tmp_path / "a.ckpt"), "cpu")
