import json
import os
import shutil

import pytest
import torch
from test_bad_input import refused

from pose_inpaint.tracking.lock import locked

DATA = ("data=chalearn", "data.size=32", "data.workers=0")


def test_sources_of_scene_completion_are_recorded_and_reported(command, tiny_data, tiny_index, tmp_path):
    content = torch.load(tiny_index, weights_only=True)
    assert len(content["names"]) == 12
    shared = [*DATA, f"data.root={tiny_data}", "images=[composite]"]
    model = ["model=scene_completion", f"model.index={tiny_index}", "model.near_duplicate=1000"]
    outcome = command("evaluate", *shared, *model, f"hydra.run.dir={tmp_path}/scenes")
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "scenes/scores.json").read_text())["sources"]
    assert record["near_duplicates"] == 4
    assert sorted(record["of_images"]) == ["000.png", "001.png", "002.png", "003.png"]
    assert record["of_images"]["000.png"]["name"] in content["names"]
    assert command("evaluate", *shared, "model=mean", f"hydra.run.dir={tmp_path}/mean").status == 0
    assert "sources" not in json.loads((tmp_path / "mean/scores.json").read_text())
    runs = f"runs=[{tmp_path}/scenes,{tmp_path}/mean]"
    assert command("report", runs, f"output={tmp_path}/report").status == 0
    table = (tmp_path / "report/table.md").read_text()
    assert "scene_completion: 4 of 4 images were inpainted from a near-duplicate." in table


def test_photos_are_inpainted_with_an_index(command, tiny_data, tiny_index, tmp_path):
    photo, masks = tiny_data / "test/Y", tiny_data / "test/maskdata.json"
    more = [f"model.index={tiny_index}", f"input={photo}", f"mask={masks}", f"output={tmp_path}/restored"]
    outcome = command("predict", "model=scene_completion", *more)
    assert outcome.status == 0, outcome.err
    assert len(list((tmp_path / "restored").glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["split=exam"], ["split=exam", "train, val, test"]),
        (["orientations=0"], ["orientations=0", "1..16"]),
        (["scales=17"], ["scales=17"]),
        (["data.names=nobody*"], ["data.names=nobody*"]),
        (["data.root=/no/such"], ["data.root=/no/such"]),
    ],
)
def test_invalid_settings_are_rejected(command, tiny_data, tmp_path, arguments, words):
    refused(command("index", *DATA, f"data.root={tiny_data}", f"output={tmp_path}/a/x", *arguments), *words)
    assert not (tmp_path / "a").exists()


def test_invalid_collections_are_rejected(command, tiny_data, tmp_path):
    build = ["index", *DATA, f"data.root={tiny_data}"]
    refused(command(*build), "output")
    refused(command(*build, f"output={tmp_path}"), f"output={tmp_path}", "a folder")
    (tiny_data / "train/Y/003.png").write_text("no image")
    refused(command(*build, f"output={tmp_path}/x"), "003.png")
    shutil.rmtree(tiny_data / "train/Y")
    refused(command(*build, f"output={tmp_path}/x"), "empty split")
    (tiny_data / "test/Y").rename(tiny_data / "test/X")
    refused(command(*build, f"output={tmp_path}/x", "split=test"), "000.png", "no original")
    assert not (tmp_path / "x").exists()


def test_evaluating_needs_an_index(command, tiny_data):
    refused(command("evaluate", "model=scene_completion", *DATA, f"data.root={tiny_data}"), "model.index is missing")
    more = [*DATA, f"data.root={tiny_data}", "model.index=/no/index"]
    refused(command("evaluate", "model=scene_completion", *more), "model.index=/no/index", "no such file")


@pytest.mark.parametrize("kind", ["photo", "link", "checkpoint"])
def test_nothing_but_an_index_is_replaced(command, tiny_data, tmp_path, tiny_index, kind):
    photo, output = tiny_data / "train" / "Y" / "000.png", tmp_path / "out"
    if kind == "link":
        output.symlink_to(tiny_index)
    elif kind == "photo":
        output.write_bytes(photo.read_bytes())
    else:
        torch.save({"format": "another"}, output)
    before = output.read_bytes()
    outcome = command("index", "data=chalearn", f"data.root={tiny_data}", f"output={output}")
    assert outcome.status == 2
    assert f"error: output={output}: exists, and is not a scene index" in outcome.err
    assert output.read_bytes() == before


def test_an_index_is_built_again_but_not_twice_at_once(command, tiny_data, tiny_index):
    arguments = ("index", "data=chalearn", f"data.root={tiny_data}", f"output={tiny_index}")
    with locked(tiny_index.parent, name=f".{tiny_index.name}.running"):
        outcome = command(*arguments)
    assert outcome.status == 2
    assert f"error: output={tiny_index.parent}: process {os.getpid()} is writing there" in outcome.err
    assert command(*arguments).status == 0
