"""Released pose weights: what is written, what takes them, and what is refused."""

import json
import shutil

import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file

from pose_inpaint.pose.hourglass import read_hourglass


@pytest.fixture
def release(command, tiny_pose, tmp_path):
    more = [f"scores=[{tiny_pose.parents[1]}]", "name=tiny", "precision=fp32", "data_terms=Twenty drawings."]
    outcome = command("release", f"checkpoint={tiny_pose}", f"output={tmp_path}/released", *more)
    assert outcome.status == 0, outcome.err
    return tmp_path / "released"


def evaluate(command, data, run, *more):
    arguments = ["data=chalearn", f"data.root={data}", "data.size=32", "data.workers=0", "pose.bounds=false"]
    return command("evaluate", "model=mean", *arguments, f"hydra.run.dir={run}", *more)


def test_a_release_holds_weights_configuration_and_card(release, tiny_pose):
    read = read_hourglass(tiny_pose)
    network = read.network()
    stored = load_file(release / "model.safetensors")
    assert stored.keys() == network.state_dict().keys()
    config = OmegaConf.load(release / "config.yaml")
    assert (config.release.kind, config.network.width, config.epochs) == ("pose", 8, 2)
    assert config.release.parameters == sum(parameter.numel() for parameter in network.parameters())
    card = (release / "card.md").read_text()
    text = card + (release / "config.yaml").read_text()
    assert str(tiny_pose.parents[1]) not in text  # no path of the machine
    assert str(tiny_pose.parents[2] / "data") not in text
    scores = json.loads((tiny_pose.parents[1] / "scores.json").read_text())
    for words in (
        "# Stacked hourglass tiny\n", "Twenty drawings.", config.release.weights_sha256, read.sha256, "test, n = 4",
        f"| {scores['pck']['value']:.4f} [", f"{config.release.parameters:,}, stored as fp32",
    ):  # fmt: skip
        assert words in card, words


def test_poses_are_scored_by_a_release_as_by_its_checkpoint(command, release, tiny_pose, tiny_data, tmp_path):
    names, tables = [], []
    for name, weights in {"checkpoint": tiny_pose, "release": release}.items():
        more = ["pose=hourglass", "pose.estimator.min_confidence=0.001", f"pose.weights={weights}"]
        outcome = evaluate(command, tiny_data, tmp_path / name, *more)
        assert outcome.status == 0, outcome.err
        names.append(json.loads((tmp_path / name / "scores.json").read_text())["pose"]["estimator"])
        tables.append((tmp_path / name / "scores.csv").read_text())
    assert tables[0] == tables[1]
    assert names[0] != names[1]
    assert names[1].startswith("hourglass tiny ")
    outcome = command("report", f"runs=[{tmp_path}/checkpoint,{tmp_path}/release]", f"output={tmp_path}/report")
    assert outcome.status == 1
    assert f"poses by {names[1]}" in outcome.err


def test_a_release_is_released_again(command, release, tmp_path):
    outcome = command("release", f"checkpoint={release}", f"output={tmp_path}/again", "precision=fp32")
    assert outcome.status == 0, outcome.err
    assert (tmp_path / "again/model.safetensors").read_bytes() == (release / "model.safetensors").read_bytes()
    assert "# Stacked hourglass tiny" in (tmp_path / "again/card.md").read_text()


def test_what_does_not_fit_is_refused_in_one_line(command, release, tiny_pose, tiny_data, tmp_path):
    other = shutil.copytree(tiny_pose.parents[1], tmp_path / "other")
    scores = json.loads((other / "scores.json").read_text())
    (other / "scores.json").write_text(json.dumps({**scores, "estimator": "hourglass 12345678 (0.05)"}))
    refused = {
        f"are of hourglass 12345678 (0.05), not of {tiny_pose}": command(
            "release", f"checkpoint={tiny_pose}", f"output={tmp_path}/out", f"scores=[{other}]"
        ),
        "no scores.json of train_pose": command(
            "release", f"checkpoint={tiny_pose}", f"output={tmp_path}/out", f"scores=[{tmp_path}]"
        ),
        f"checkpoint={release}: weights of the kind 'pose', which are for pose=hourglass pose.weights=FOLDER": command(
            "predict", f"checkpoint={release}", f"input={tiny_data}/test/Y", "mask=black", f"output={tmp_path}/out"
        ),
    }
    for text, outcome in refused.items():
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1
        assert text in outcome.err
    assert not (tmp_path / "out").exists()
