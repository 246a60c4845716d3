"""Any folder of inpainted images can be scored; the challenge's own form goes out and comes back."""

import json
import shutil

import numpy as np
import pytest
from conftest import write_split
from PIL import Image


def evaluate(command, data, tmp_path, *more, run="run"):
    arguments = ["data=chalearn", f"data.root={data}", "data.size=32", "data.workers=0"]
    return command("evaluate", *arguments, f"hydra.run.dir={tmp_path}/{run}", *more)


def scores(tmp_path, run="run"):
    return json.loads((tmp_path / run / "scores.json").read_text())


@pytest.fixture
def predictions(tiny_data, tmp_path):
    """The originals as somebody's predictions."""
    shutil.copytree(tiny_data / "test/Y", tmp_path / "theirs")
    return tmp_path / "theirs"


def test_predictions_of_this_package_score_like_the_method(command, tmp_path):
    """At the images' own resolution nothing but rounding to 8 bits lies between."""
    write_split(tmp_path / "square/test", 4, height=48, width=48)
    data = tmp_path / "square"
    mask = f"mask={data}/test/maskdata.json"
    assert command("predict", "model=mean", f"input={data}/test/Y", mask, f"output={tmp_path}/out").status == 0
    assert evaluate(command, data, tmp_path, f"predictions={tmp_path}/out", "data.size=48").status == 0
    assert evaluate(command, data, tmp_path, "model=mean", "data.size=48", run="method").status == 0
    found, method = scores(tmp_path), scores(tmp_path, "method")
    assert (found["name"], found["n"]) == ("out", 4)
    assert found["masks_sha256"] == method["masks_sha256"]
    for name in ("mse_composite_hole", "mse_raw_whole", "dssim_composite_whole"):
        assert found["scores"][name]["value"] == pytest.approx(method["scores"][name]["value"], rel=2e-3)


def test_the_challenges_form_is_raw_at_128_pixels_and_back(command, tiny_data, tiny_checkpoint, tmp_path):
    (tmp_path / "X").mkdir()
    blocks = json.loads((tiny_data / "test/maskdata.json").read_text())
    for name, squares in blocks.items():
        image = np.array(Image.open(tiny_data / "test/Y" / name))
        for row, column, size in squares:
            image[row : row + size, column : column + size] = 0
        Image.fromarray(image).save(tmp_path / "X" / name)
    arguments = [f"checkpoint={tiny_checkpoint}", f"input={tmp_path}/X", f"mask={tiny_data}/test/maskdata.json"]
    for form, more in {
        "challenge": ["output.form=challenge"],
        "same": ["output.raw=true", "scale=128"],
        "composite": ["output.form=challenge", "output.raw=false"],
    }.items():
        assert command("predict", *arguments, f"output={tmp_path}/{form}", *more).status == 0
    assert sorted(path.name for path in (tmp_path / "challenge").iterdir()) == sorted(blocks)
    for name, squares in blocks.items():
        ours, same, composite = (
            np.asarray(Image.open(tmp_path / form / name)) for form in ("challenge", "same", "composite")
        )
        assert ours.shape == (48, 40, 3)
        assert (ours == same).all()
        known = np.ones((48, 40), dtype=bool)
        for row, column, size in squares:
            known[row : row + size, column : column + size] = False
        assert (composite[known] == np.asarray(Image.open(tmp_path / "X" / name))[known]).all()
        assert (composite[~known] == ours[~known]).all()
    assert evaluate(command, tiny_data, tmp_path, f"predictions={tmp_path}/challenge").status == 0


def test_an_unknown_form_is_refused(command, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    more = [f"input={tmp_path}/a.png", "mask=black", f"output={tmp_path}/out", "output.form=contest"]
    outcome = command("predict", "model=mean", *more)
    assert outcome.status == 2
    assert "output.form=contest: not one of photo, challenge" in outcome.err
    assert not (tmp_path / "out").exists()


def test_images_that_are_not_scored_may_lie_there_too(command, tiny_data, predictions, tmp_path):
    for number, more in enumerate((["data.limit=2"], ["data.names=*3.png"])):
        outcome = evaluate(command, tiny_data, tmp_path, f"predictions={predictions}", *more, run=number)
        assert outcome.status == 0, outcome.err
    assert (scores(tmp_path, "0")["n"], scores(tmp_path, "1")["n"]) == (2, 1)


def test_other_endings_are_matched(command, tiny_data, predictions, tmp_path):
    for path in sorted(predictions.iterdir()):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    assert evaluate(command, tiny_data, tmp_path, f"predictions={predictions}").status == 0
    assert scores(tmp_path)["scores"]["mse_raw_whole"]["value"] == 0


def spoil_missing(folder):
    (folder / "001.png").unlink()


def spoil_extra(folder):
    shutil.copy(folder / "001.png", folder / "extra.png")


def spoil_double(folder):
    shutil.copy(folder / "001.png", folder / "001.bmp")


def spoil_size(folder):
    Image.new("RGB", (48, 40)).save(folder / "001.png")


def spoil_file(folder):
    (folder / "001.png").write_text("no image")


def spoil_nan(folder):
    (folder / "001.png").unlink()
    pixels = np.full((48, 40), 0.5, dtype=np.float32)
    pixels[3, 4] = np.nan
    Image.fromarray(pixels).save(folder / "001.tif")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_missing, "has no image for 001; add it"),
        (spoil_extra, "has an image that isn't in the split: extra; remove it"),
        (spoil_double, "001.bmp and 001.png are of the same image; remove one"),
        (spoil_size, "001.png: 40x48 pixels (height x width), but its original has 48x40"),
        (spoil_file, "001.png: not an image that Pillow can read"),
        (spoil_nan, "001.tif: pixels of mode F from nan to nan, not 0 to 1 or 0 to 255"),
    ],
)
def test_folders_that_do_not_fit_are_refused(command, tiny_data, predictions, tmp_path, spoil, says):
    assert evaluate(command, tiny_data, tmp_path, f"predictions={predictions}").status == 0
    before = (tmp_path / "run/scores.json").read_text()
    spoil(predictions)
    outcome = evaluate(command, tiny_data, tmp_path, f"predictions={predictions}")
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert (tmp_path / "run/scores.json").read_text() == before


def test_originals_that_differ_in_their_ending_alone_are_refused(command, tiny_data, predictions, tmp_path):
    Image.open(tiny_data / "test/Y/001.png").save(tiny_data / "test/Y/001.bmp")
    listed = json.loads((tiny_data / "test/maskdata.json").read_text())
    (tiny_data / "test/maskdata.json").write_text(json.dumps({**listed, "001.bmp": listed["001.png"]}))
    outcome = evaluate(command, tiny_data, tmp_path, f"predictions={predictions}")
    assert outcome.status == 2
    assert "two images of the split differ only in their suffix" in outcome.err


def test_predictions_and_a_method_exclude_each_other(command, tiny_data, predictions, tmp_path):
    outcome = evaluate(command, tiny_data, tmp_path, f"predictions={predictions}", "model=mean")
    assert outcome.status == 2
    assert "give predictions=DIR alone" in outcome.err
    outcome = evaluate(command, tiny_data, tmp_path, f"predictions={tmp_path}/none")
    assert f"predictions={tmp_path}/none: no such folder" in outcome.err
