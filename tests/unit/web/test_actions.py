import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pose_inpaint.api import load
from pose_inpaint.config.schema import UploadSettings
from pose_inpaint.errors import InputError
from pose_inpaint.web.actions import Actions, Canvas
from pose_inpaint.web.photos import add_square, encode
from pose_inpaint.web.restorer import Restorer
from pose_inpaint.web.store import KeptFile, Store

COLOUR = (10, 200, 30)
PHOTO = KeptFile("me.png", encode(Image.new("RGB", (40, 20), COLOUR)))


@pytest.fixture
def actions():
    restorer = Restorer(load("mean", device="cpu"), {})
    return Actions(restorer, UploadSettings(1, 0.01), Store(2**20, 60), [Image.new("RGB", (8, 8), "red")])


def test_a_photo_is_shown_painted_and_inpainted(actions):
    canvas = actions.show(PHOTO)
    assert canvas.placed is None
    assert np.array(canvas.image)[5, 5].tolist() == list(COLOUR)
    canvas = actions.place_square(PHOTO, canvas, [], 50, 0, 0)
    assert (np.array(canvas.image) != COLOUR).any(2).sum() == 100
    answer = actions.inpaint(PHOTO, canvas, [], seed=7)
    assert answer.summary.startswith("mean on cpu, seed 7: Inpainted 0.")
    assert list(answer.urls) == ["Photo", "Painted", "Inpainted", "Raw output"]
    shown = Image.open(BytesIO(base64.b64decode(answer.urls["Inpainted"].partition(",")[2])))
    assert np.abs(np.array(shown, dtype=int) - COLOUR).max() <= 2
    ((label, key),) = answer.downloads.items()
    assert label == "Download PNG (40 x 20)"
    kept = actions.downloads.find(key)
    assert kept.name == "me inpainted.png"
    assert (np.array(Image.open(BytesIO(kept.content))) == COLOUR).all()


def test_squares_add_up_with_what_was_painted_by_hand(actions):
    by_hand = add_square([], (40, 20), 0.1, 1, 1)
    canvas = actions.place_square(PHOTO, actions.show(PHOTO), [by_hand], 50, 0, 0)
    canvas = actions.place_square(PHOTO, canvas, [], 50, 50, 0)
    later = add_square([], (40, 20), 0.1, 0, 1)
    answer = actions.inpaint(PHOTO, canvas, [later])
    shown = Image.open(BytesIO(base64.b64decode(answer.urls["Painted"].partition(",")[2])))
    painted = np.zeros((20, 40), dtype=bool)
    painted[:10, :10] = painted[:10, 15:25] = painted[18:, 38:] = painted[18:, :2] = True
    assert ((np.array(shown)[..., 0] > 130) == painted).all()


def test_a_square_at_random_lies_within_the_photo(actions):
    seen = set()
    for _ in range(5):
        canvas = actions.place_at_random(PHOTO, actions.show(PHOTO), [], 50)
        rows, columns = np.nonzero((np.array(canvas.image) != COLOUR).any(2))
        assert len(rows) == 100
        seen.add((rows.min(), columns.min()))
    assert len(seen) > 1


def test_examples_are_photos_like_others(actions):
    (example,) = actions.examples
    assert np.array(actions.show(example).image)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("action", ["show", "place_square", "inpaint"])
def test_without_a_photo_there_is_one_message(actions, action):
    arguments = {"show": (), "place_square": (Canvas(None), [], 50, 0, 0), "inpaint": (Canvas(None), [])}[action]
    with pytest.raises(InputError, match="There is no photo, or it is no longer in memory"):
        getattr(actions, action)(None, *arguments)


def test_nothing_painted_is_said(actions):
    with pytest.raises(InputError, match="Nothing is painted"):
        actions.inpaint(PHOTO, actions.show(PHOTO), [])
    assert not actions.downloads.files
