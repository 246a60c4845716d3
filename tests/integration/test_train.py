import csv
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY
from PIL import Image


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def arguments(data, run, *more, experiment="authors2018"):
    return [f"+experiment={experiment}", f"data.root={data}", f"hydra.run.dir={run}", *TINY, *more]


def test_a_run_leaves_what_repeats_and_explains_it(tiny_run):
    assert {path.name for path in tiny_run.iterdir()} >= {
        "checkpoints", "config.yaml", "metrics.csv", "run.json", "samples.png", "scores.csv", "scores.json",
        "status.json",
    }  # fmt: skip
    assert {path.name for path in (tiny_run / "checkpoints").iterdir()} == {
        "best-reconstruction.ckpt", "best-adversarial.ckpt", "last.ckpt",
    }  # fmt: skip
    config = yaml.safe_load((tiny_run / "config.yaml").read_text())
    assert (config["loss"]["beta"], config["loss"]["discriminator"]["beta"]) == (6, 6)  # resolved
    run = json.loads((tiny_run / "run.json").read_text())
    assert run["seed"] == 2018
    assert run["versions"]["torch"] == torch.__version__.split("+")[0] or run["versions"]["torch"] == torch.__version__
    assert [entry["split"] for entry in run["data"]] == ["train", "val", "test"]
    assert all(len(entry["sha256"]) == 64 for entry in run["data"])
    assert run["perceptual_weights"] is None  # the term was switched off


def test_scores_of_the_test_split(tiny_run):
    scores = json.loads((tiny_run / "scores.json").read_text())
    assert scores["n"] == 4
    assert scores["batchnorm"] == "recalibrated"
    digests = {entry["split"]: entry["sha256"] for entry in json.loads((tiny_run / "run.json").read_text())["data"]}
    assert scores["data"]["sha256"] == digests["test"]
    assert len(set(digests.values())) == 3
    assert scores["checkpoint"]["file"] == "best-adversarial.ckpt"
    assert 0 < scores["scores"]["mse_composite_hole"]["value"] < 1
    assert scores["mean_fill"]["mse_composite_hole"]["value"] > 0
    assert scores["scores"]["mse_raw_whole"]["value"] >= scores["scores"]["mse_composite_whole"]["value"]
    assert Image.open(tiny_run / "samples.png").width == 4 * (4 * 32 + 4) + 4


def test_phases_log_their_own_terms(tiny_run):
    found = rows(tiny_run)
    first = [row for row in found if row["epoch"] == "0" and row["batch"]]
    second = [row for row in found if row["epoch"] == "1" and row["batch"]]
    assert len(first) == len(second) == 3
    assert all(row["train/generator/hole"] and not row["train/generator/adversarial"] for row in first)
    assert all(not row["train/discriminator/total"] for row in first)
    assert all(row["train/generator/adversarial"] and row["train/discriminator/total"] for row in second)
    assert [float(row["batch"]) for row in first + second] == list(range(1, 7))  # not two a batch
    assert [int(row["step"]) for row in first + second] == list(range(6))


def test_checkpoints_load_without_running_code_and_hold_all(tiny_checkpoint):
    content = torch.load(tiny_checkpoint, weights_only=True)
    assert content["pose_inpaint"]["format"] == 3
    assert content["pose_inpaint"]["config"]["model"]["width"] == 2
    assert content["pose_inpaint"]["phase"] == "adversarial"
    assert set(content["pose_inpaint"]["random_states"][0]) == {"torch", "cuda", "numpy", "python"}
    assert len(content["optimizer_states"]) == 2
    assert int(content["state_dict"]["batches_seen"]) == 6
    assert not [key for key in content["state_dict"] if "features" in key and key.startswith("generator_loss")]


@pytest.mark.parametrize(("stop_after", "settings"), [(1, []), (2, ["schedule.phases.1.epochs=2", "ema.decay=0.9"])])
def test_resuming_gives_the_weights_of_an_unbroken_run(command, unbroken, tmp_path, stop_after, settings):
    more = ["mask=squares", "test.enabled=false", *settings]  # masks that vary by epoch, too
    data, unbroken_run = unbroken(*more)
    cut = [f"trainer.max_epochs={stop_after}", *more]
    assert command("train", *arguments(data, tmp_path / "cut", *cut)).status == 0
    torch.rand(7)  # whatever happened meanwhile
    resumed = command(
        "train", *arguments(data, tmp_path / "rest", f"resume={tmp_path}/cut/checkpoints/last.ckpt", *more)
    )
    assert resumed.status == 0, resumed.err
    runs = (unbroken_run, tmp_path / "rest")
    whole, rest = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in runs)
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, rest["state_dict"][key]), key
    for ours, theirs in zip(whole["optimizer_states"], rest["optimizer_states"], strict=True):
        for place, state in ours["state"].items():
            assert all(torch.equal(state[key], theirs["state"][place][key]) for key in state)
    assert len(rows(tmp_path / "cut")) + len(rows(tmp_path / "rest")) == len(rows(unbroken_run))


def test_automatic_resumption_begins_anew_goes_on_or_finishes(command, tiny_data, tmp_path):
    run = arguments(tiny_data, tmp_path / "run", "resume=auto", "test.enabled=false")
    assert command("train", *run, "trainer.max_epochs=1").status == 0  # nothing is there yet
    assert len(rows(tmp_path / "run")) == 4  # three batches and a validation
    assert command("train", *run).status == 0
    assert len(rows(tmp_path / "run")) == 2 * 4  # one history
    done = json.loads((tmp_path / "run/status.json").read_text())
    assert command("train", *run).status == 0  # all epochs are done
    again = json.loads((tmp_path / "run/status.json").read_text())
    assert (again["state"], again["value"]) == ("finished", done["value"])
    assert len(again["starts"]) == 2  # nothing was left to do


def test_init_from_takes_weights_and_nothing_else(command, tiny_data, tiny_checkpoint, tmp_path):
    more = [f"init_from={tiny_checkpoint}", "optim.lr=1e-12", "test.enabled=false"]
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more)).status == 0
    before, after = weights(tiny_checkpoint), weights(tmp_path / "run/checkpoints/last.ckpt")
    for key in before:
        if key.startswith(("generator.", "discriminator.")) and key.endswith("weight"):
            torch.testing.assert_close(before[key], after[key], msg=key, atol=1e-9, rtol=0)
    assert int(after["batches_seen"]) == 6  # its own count: two epochs of three batches


def test_the_closing_words_say_where_and_how_good(command, tiny_data, tmp_path):
    more = ["+trainer.limit_val_batches=2", "data.batch_size=1", "data.size=128"]
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more, "data.limit=3"))
    out = outcome.out
    value = json.loads((tmp_path / "run/status.json").read_text())["value"]
    assert f"Best epoch of phase adversarial: mse_composite_hole {value:.6g} (val split, n 2)." in out
    assert "On the 3 images of the test split the mean squared error" in out
    assert "PSNR of the whole image (test split, n 3): " in out
    for split in ("val", "test"):
        assert f"warning: {split}: only 3 images: scores of so few" in out
    assert "warning: train" not in out
    assert f"{tmp_path}/run/samples.png" in out
    assert "mean squared error inside the holes" in out
    assert "mean colour" in out


def test_an_average_is_validated_and_released(command, tiny_data, tmp_path):
    assert command("train", *arguments(tiny_data, tmp_path / "run", "ema.decay=0.5", "test.enabled=false")).status == 0
    state = weights(tmp_path / "run/checkpoints/last.ckpt")
    key = "conv1.0.weight"
    assert not torch.equal(state[f"ema.module.{key}"], state[f"generator.{key}"])
    assert not [name for name in state if name.startswith("ema.") and "discriminator" in name]


def test_running_statistics_are_left_alone_if_asked(command, tiny_data, tmp_path):
    more = ["batchnorm.statistics=running"]
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more)).status == 0
    assert json.loads((tmp_path / "run/scores.json").read_text())["batchnorm"] == "running"
    state = weights(tmp_path / "run/checkpoints/last.ckpt")
    # Six batches, three of which went through the generator twice.
    assert int(state["generator.conv1.1.num_batches_tracked"]) == 6 + 3


def test_random_features_are_named_in_the_records(command, tiny_data, tmp_path):
    more = ["loss.generator.perceptual.weight=1e-12", "loss.features.weights=random", "loss.features.layers=[conv1_1]"]
    more += ["test.enabled=false"]
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more)).status == 0
    assert json.loads((tmp_path / "run/run.json").read_text())["perceptual_weights"] == "random"


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_other_precisions_train(command, tiny_data, tmp_path, precision):
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", f"trainer.precision={precision}"))
    assert outcome.status == 0, outcome.err
    assert 0 < float(rows(tmp_path / "run")[-1]["val/mse_composite_hole"]) < 1


def test_a_blind_test_split_is_not_scored(command, tiny_data, tmp_path):
    test = tiny_data / "test"
    (test / "Y").rename(test / "X")
    assert command("train", *arguments(tiny_data, tmp_path / "run")).status == 0
    assert not (tmp_path / "run/scores.json").exists()


def test_a_loss_that_is_not_finite_stops_with_a_dump(command, tiny_data, tmp_path):
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", "optim.lr=1e30"))
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "loss is not finite after" in outcome.err
    assert "hole=" in outcome.err
    dump = torch.load(tmp_path / "run" / "nonfinite.pt", weights_only=True)
    assert all(name in outcome.err for name in dump["names"])
    assert dump["target"].shape == (4, 3, 32, 32)
    assert Path(tmp_path / "run" / "nonfinite.png").stat().st_size > 0


def test_a_metric_that_cannot_score_the_test_split_fails_before_anything_is_written(command, tiny_data, tmp_path):
    more = arguments(tiny_data, tmp_path / "run", "+metric.kid={_target_: pose_inpaint.metrics.distribution.KID}")
    outcome = command("train", *more)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1), outcome.err
    assert not (tmp_path / "run").exists()
    assert command("train", *more, "test.enabled=false", "trainer.max_epochs=1").status == 0


def test_the_history_of_an_earlier_start_without_a_checkpoint_is_removed(command, tiny_data, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("before the first batch")

    monkeypatch.setattr("pose_inpaint.training.fit.fit", fail)
    with pytest.raises(RuntimeError):
        command("train", *arguments(tiny_data, tmp_path / "run"))
    (tmp_path / "run/metrics.csv").write_text("step,val/mse_composite_hole\n0,0.5\n")
    with pytest.raises(RuntimeError):
        command("train", *arguments(tiny_data, tmp_path / "run", "resume=auto"))
    assert not (tmp_path / "run/metrics.csv").exists()


def test_the_best_checkpoint_of_a_phase_is_of_a_validated_epoch(command, tiny_data, tmp_path):
    more = ["trainer.check_val_every_n_epoch=2", "schedule.phases.0.epochs=2", "schedule.phases.1.epochs=3"]
    more += [
        "test.enabled=false",
        "optim.lr=1e-30",
    ]  # all validations give the same score, so that none is better than one of before
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more)).status == 0
    best = torch.load(tmp_path / "run/checkpoints/best-adversarial.ckpt", weights_only=True)
    # Epochs 2 and 4 are validated. Epochs 3 and 5, without a validation, must not take the scores of those.
    assert best["pose_inpaint"]["epoch"] == 3
    scores = json.loads((tmp_path / "run/status.json").read_text())["scores"]
    validated = [
        float(row["val/mse_composite_hole"]) for row in rows(tmp_path / "run") if row["val/mse_composite_hole"]
    ]
    assert scores["mse_composite_hole"] == pytest.approx(validated[-1])


@pytest.mark.parametrize("shared", [1, 2])
def test_photos_that_training_shares_with_another_split_are_said(command, tiny_data, tmp_path, shared):
    for i, split in enumerate(("val", "test")[:shared]):
        shutil.copy(tiny_data / f"train/Y/00{i}.png", tiny_data / split / "Y/003.png")
    outcome = command(
        "train", *arguments(tiny_data, tmp_path / "run", "trainer.max_epochs=1", f"test.enabled={shared == 2}")
    )
    assert outcome.status == 0, outcome.err  # said, not refused
    (line,) = [line for line in outcome.err.splitlines() if "same photo" in line]
    more = " (and 1 more: python -m pose_inpaint.verify lists them)" if shared == 2 else ""
    assert line == (
        f"warning: {tiny_data}/val/Y/003.png: the same photo as {tiny_data}/train/Y/000.png, so val is not independent "
        f"of train; remove one{more}"
    )


def test_a_setting_without_effect_is_said(command, tiny_data, tmp_path):
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", "loss.alpha=1e-5", "trainer.max_epochs=1"))
    assert outcome.status == 0
    assert "warning: loss.alpha=1e-5: has no effect: no other setting refers to it\n" in outcome.err
    assert "warning: schedule.phases.1.epochs=1: has no effect: trainer.max_epochs=1 ends" in outcome.err
    assert outcome.err.count("has no effect") == 2


@pytest.mark.parametrize("terminal", [False, True])
def test_each_epoch_is_a_line_of_losses_scores_and_time(command, tiny_data, tmp_path, monkeypatch, terminal):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: terminal)
    more = ["test.enabled=false", "trainer.enable_progress_bar=true"]
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more))
    assert outcome.status == 0, outcome.err
    lines = re.findall(r"epoch \d of 2 .*? left", re.sub(r"\s+", " ", outcome.out))  # a terminal's width wraps them
    assert ("\r" in outcome.out) == terminal  # a progress bar
    assert [line.partition(":")[0] for line in lines] == [
        "epoch 1 of 2 (reconstruction)",
        "epoch 2 of 2 (adversarial)",
    ]
    assert all(re.search(r"; \d+ s, \d+ s left$", line) for line in lines)
    losses = [[float(value) for value in re.findall(r"(?:: |, )(?:gen|disc)\w+ ([\d.e-]+)", line)] for line in lines]
    assert [len(each) for each in losses] == [1, 2]
    totals = [float(row["train/generator/total"]) for row in rows(tmp_path / "run") if row["train/generator/total"]]
    means = [sum(totals[first : first + 3]) / 3 for first in (0, 3)]
    assert [each[0] for each in losses] == pytest.approx(means, rel=1e-3)
    scores = [float(re.search(r"val/mse_composite_hole ([\d.e-]+)", line)[1]) for line in lines]
    logged = [float(row["val/mse_composite_hole"]) for row in rows(tmp_path / "run") if row["val/mse_composite_hole"]]
    assert scores == pytest.approx(logged, rel=1e-3)
