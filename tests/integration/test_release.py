"""Released weights: what is written, what takes them, and what is refused."""

import json
import os
import shutil

import pytest
import torch
from conftest import TINY
from omegaconf import OmegaConf
from PIL import Image, ImageStat
from safetensors.torch import load_file, save_file

from pose_inpaint.models.release import read_release
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked
from pose_inpaint.training.checkpoint import load_generator, read_checkpoint


@pytest.fixture
def release(command, tiny_checkpoint, tmp_path):
    outcome = command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/released", "precision=fp32")
    assert outcome.status == 0, outcome.err
    return tmp_path / "released"


def test_a_release_holds_inference_weights_configuration_and_card(release, tiny_checkpoint):
    network = load_generator(read_checkpoint(tiny_checkpoint))
    stored = load_file(release / "model.safetensors")
    assert stored.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(stored[name], value), name
    config = OmegaConf.load(release / "config.yaml")
    assert config.model.width == 2
    assert config.release.precision == "fp32"
    text = (release / "config.yaml").read_text()
    assert str(tiny_checkpoint.parents[2]) not in text  # no path of the machine
    card = (release / "card.md").read_text()
    assert config.release.weights_sha256 in card
    assert read_checkpoint(tiny_checkpoint).sha256() in card
    assert "Not scored yet." in card
    assert sorted(path.name for path in release.iterdir()) == ["card.md", "config.yaml", "model.safetensors"]


def test_no_path_of_the_machine_is_released(command, tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    config = content["pose_inpaint"]["config"]
    config["loss"]["generator"]["perceptual"]["features"]["weights"] = "/home/me/vgg16.pth"
    config["samples"]["beside"], config["trainer"]["default_root_dir"] = "/home/me/other", "/home/me/runs"
    config["data"]["names"] = "a/b*"  # a pattern, not a folder
    config["mask"]["root"], config["metric"]["fid"] = "/home/me/masks", {"weights": "me/fid.pth"}
    torch.save(content, tmp_path / "named.ckpt")
    assert command("release", f"checkpoint={tmp_path}/named.ckpt", f"output={tmp_path}/released").status == 0
    text = "".join((tmp_path / "released" / name).read_text() for name in ("config.yaml", "card.md"))
    assert "/home" not in text
    assert "me/" not in text
    assert "weights: vgg16.pth" in text
    assert "names: a/b*" in text


def test_half_precision_keeps_statistics_and_refuses_what_it_cannot_hold(command, tiny_checkpoint, tmp_path):
    content = torch.load(tiny_checkpoint, weights_only=True)
    name = next(key for key in content["state_dict"] if key.startswith("generator.") and key.endswith("running_var"))
    content["state_dict"][name][0] = 1e6
    torch.save(content, tmp_path / "large.ckpt")
    assert command("release", f"checkpoint={tmp_path}/large.ckpt", f"output={tmp_path}/released").status == 0
    stored = load_file(tmp_path / "released/model.safetensors")[name.removeprefix("generator.")]
    assert stored.dtype == torch.float32
    assert stored[0] == 1e6
    weight = next(key for key in content["state_dict"] if key.startswith("generator.") and key.endswith("weight"))
    content["state_dict"][weight].view(-1)[0] = 1e6
    torch.save(content, tmp_path / "huge.ckpt")
    outcome = command("release", f"checkpoint={tmp_path}/huge.ckpt", f"output={tmp_path}/refused")
    assert outcome.status == 2
    assert "has values beyond its range; give precision=fp32" in outcome.err
    assert not (tmp_path / "refused/model.safetensors").exists()


def test_whatever_takes_a_checkpoint_takes_a_release(command, release, tiny_checkpoint, tiny_data, tmp_path):
    scores = {}
    for name, path in {"checkpoint": tiny_checkpoint, "release": release}.items():
        outcome = command(
            "evaluate", f"checkpoint={path}", "data=chalearn", f"data.root={tiny_data}", "data.size=32",
            f"hydra.run.dir={tmp_path}/{name}", "data.workers=0",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        scores[name] = (tmp_path / name / "scores.csv").read_text()
        outcome = command(
            "predict", f"checkpoint={path}", f"input={tiny_data}/test/Y", f"mask={tiny_data}/test/maskdata.json",
            f"output={tmp_path}/out_{name}",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
    assert scores["release"] == scores["checkpoint"]
    for path in (tmp_path / "out_release").iterdir():
        assert path.read_bytes() == (tmp_path / "out_checkpoint" / path.name).read_bytes()


def test_half_precision_halves_the_file_and_changes_little(command, tiny_checkpoint, release, tmp_path):
    command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/half", "name=Half a model")
    assert "# Half a model" in (tmp_path / "half/card.md").read_text()
    single, half = (load_generator(read_checkpoint(path)).state_dict() for path in (release, tmp_path / "half"))
    for name, value in single.items():
        torch.testing.assert_close(half[name], value, rtol=1e-3, atol=1e-6, msg=name)
    assert any(not torch.equal(half[name], value) for name, value in single.items())


def test_a_card_tells_the_training_that_the_weights_went_through(command, tiny_run, tmp_path):
    content = torch.load(next(tiny_run.glob("checkpoints/best-reconstruction*.ckpt")), weights_only=True)
    content["InpaintingData"]["images"], content["pose_inpaint"]["seconds"] = 8, 90.0  # as on two devices
    batches = int(content["state_dict"]["batches_seen"])
    torch.save(content, tmp_path / "early.ckpt")
    command("release", f"checkpoint={tmp_path}/early.ckpt", f"output={tmp_path}/first")
    command("release", f"checkpoint={tmp_path}/first", f"output={tmp_path}/again")
    for name in ("first", "again"):
        card = (tmp_path / name / "card.md").read_text()
        assert "| phases | reconstruction (hole, known, perceptual) |" in card
        assert "| images per step | 8 |" in card
        assert f"| training | {batches} batches, 1.5 minutes |" in card
    command("release", f"checkpoint={tiny_run}/checkpoints/last.ckpt", f"output={tmp_path}/last")
    card = (tmp_path / "last/card.md").read_text()
    assert "reconstruction (hole, known, perceptual), adversarial (hole, known, adversarial, perceptual) |" in card
    assert "| images per step | 4 |" in card


def test_scores_of_the_checkpoint_go_into_the_card(command, tiny_checkpoint, tiny_run, tmp_path):
    best = next(tiny_run.glob("checkpoints/best-adversarial*.ckpt"))
    outcome = command("release", f"checkpoint={best}", f"output={tmp_path}/released", f"scores=[{tiny_run}]")
    assert outcome.status == 0, outcome.err
    card = (tmp_path / "released/card.md").read_text()
    assert "| images |" in card
    assert "n = 4" in card
    # Scores of the released weights are those of another release of the same checkpoint.
    scores = json.loads((tiny_run / "scores.json").read_text())
    scores["checkpoint"]["sha256"] = read_release(tmp_path / "released").sha256
    (tmp_path / "scored").mkdir()
    (tmp_path / "scored/scores.json").write_text(json.dumps(scores))
    again = f"checkpoint={best}", f"scores=[{tmp_path}/scored]"
    assert command("release", *again, f"output={tmp_path}/again").status == 0
    assert command("release", *again, f"output={tmp_path}/single", "precision=fp32").status == 2
    outcome = command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/other", f"scores=[{tiny_run}]")
    assert outcome.status == 2
    assert f"scores={tiny_run}: are not of {tiny_checkpoint}" in outcome.err
    assert not (tmp_path / "other").exists()


def test_training_begins_from_a_release(command, release, tiny_data, tmp_path, monkeypatch):
    short = ["trainer.max_epochs=1", "test.enabled=false"]
    arguments = ["+experiment=authors2018", f"data.root={tiny_data}", *TINY, *short]
    monkeypatch.setattr("pose_inpaint.models.release.PACKAGED", release.parent)
    outcome = command("train", *arguments, f"hydra.run.dir={tmp_path}/run", "init_from=released")
    assert outcome.status == 0, outcome.err
    outcome = command("train", *arguments, f"hydra.run.dir={tmp_path}/other", "init_from=relaesed")
    assert outcome.status == 2
    assert "init_from=relaesed: no such file" in outcome.err
    outcome = command("train", *arguments, f"hydra.run.dir={tmp_path}/other", f"init_from={release}", "model.width=4")
    assert outcome.status == 2
    assert f"init_from={release}: made with" in outcome.err
    outcome = command("train", *arguments, f"hydra.run.dir={tmp_path}/other", f"resume={release}")
    assert outcome.status == 2
    assert f"released weights can't be resumed; begin with them by init_from={release}" in outcome.err


def cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def one_bit(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_config(folder):
    (folder / "config.yaml").unlink()


def not_a_release(folder):
    (folder / "config.yaml").write_text("model: {}\n")


def not_yaml(folder):
    (folder / "config.yaml").write_bytes(b"\xff\xfe{")


def newer(folder):
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("format: 1", "format: 9"))


def other_network(folder):
    path = folder / "model.safetensors"
    before = file_digest(path)
    save_file({"a": torch.zeros(2)}, path)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace(before, file_digest(path)))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (cut_short, "model.safetensors has the digest"),
        (one_bit, "one of them is damaged or from another release"),
        (no_weights, "no model.safetensors in it"),
        (no_config, "no config.yaml in it"),
        (not_a_release, "config.yaml is not that of a release"),
        (not_yaml, "config.yaml is not that of a release"),
        (newer, "format 9, but this version reads 1"),
        (other_network, "its weights don't fit its model"),
    ],
)
def test_harmed_releases_are_refused_in_one_line(command, release, tiny_data, tmp_path, harm, text):
    copy = shutil.copytree(release, tmp_path / "harmed")
    harm(copy)
    outcome = command(
        "predict", f"checkpoint={copy}", f"input={tiny_data}/test/Y", "mask=black", f"output={tmp_path}/out"
    )
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert text in outcome.err
    assert str(copy) in outcome.err


def test_a_folder_with_something_in_it_is_left_alone(command, tiny_checkpoint, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    outcome = command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/full")
    assert outcome.status == 2
    assert "exists and is not an empty folder" in outcome.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_folder_that_another_process_writes_to_is_refused(command, tiny_checkpoint, tmp_path):
    with locked(tmp_path / "released", "output"):
        outcome = command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/released")
        assert [path.name for path in (tmp_path / "released").iterdir()] == [LOCK]
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: output={tmp_path}/released: process {os.getpid()} is writing there")
    assert outcome.err.count("\n") == 1


def test_the_pretrained_model_inpaints(command, tmp_path):
    Image.new("RGB", (50, 40), (200, 30, 30)).save(tmp_path / "red.png")
    Image.new("L", (50, 40), 0).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        mask.paste(255, (10, 10, 30, 25))
        mask.save(tmp_path / "mask.png")
    photo, mask = tmp_path / "red.png", tmp_path / "mask.png"
    outcome = command("predict", "model=pretrained", f"input={photo}", f"mask={mask}", f"output={tmp_path}/out")
    assert outcome.status == 0, outcome.err
    with Image.open(tmp_path / "out/red.png") as image:
        hole = image.crop((10, 10, 30, 25))
        means = ImageStat.Stat(hole).mean
    assert abs(means[0] - 200) < 40
    assert means[1] < 90
    assert means[2] < 90


def test_a_release_is_uploaded_on_request(command, tiny_checkpoint, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("pose_inpaint.models.hub.create_repository", lambda *given, **more: calls.append((given, more)))
    monkeypatch.setattr("pose_inpaint.models.hub.upload", lambda folder, *_: f"hf://o/n@{len(list(folder.iterdir()))}")
    given = [f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/released", "upload=o/n", "public=true"]
    outcome = command("release", *given)
    assert outcome.status == 0, outcome.err
    assert calls == [(("o/n",), {"public": True})]
    assert outcome.out.splitlines()[-1] == "uploaded: hf://o/n@3"


def test_nothing_is_written_if_there_is_no_right_to_upload(command, tiny_checkpoint, tmp_path):
    outcome = command("release", f"checkpoint={tiny_checkpoint}", f"output={tmp_path}/released", "upload=name")
    assert outcome.status == 2
    assert outcome.err == "error: upload=name: give OWNER/NAME\n"
    assert not (tmp_path / "released").exists()
