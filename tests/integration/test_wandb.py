"""What W&B is sent, read back from its offline files."""

import csv
import importlib
import io
import json
import re
import socket
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import REPOSITORY, TINY, write_tiny
from PIL import Image
from wandb_file import offline_runs, read_records

HOST = "oddhost4711"
KEY = "0123456789abcdef0123456789abcdef01234567"


def train(*arguments):
    """Trains in this process; returns the exit status."""
    fixed = ["+experiment=authors2018", "logger=wandb", "logger.wandb.mode=offline", *TINY]
    changed = {argument.partition("=")[0] for argument in arguments}
    sys.argv = ["train", *arguments, *(each for each in fixed if each.partition("=")[0] not in changed)]
    try:
        importlib.import_module("pose_inpaint.train").main()
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home of an odd name, with data and runs in it."""
    import wandb  # slow to import for those that only collect

    root = tmp_path_factory.mktemp("wandb") / "oddhome8391"
    write_tiny(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", sys.argv)
        patch.setattr(socket, "gethostname", lambda: HOST)
        patch.setenv("HOME", str(root))
        patch.setenv("POSE_INPAINT_CACHE", str(root / "cache"))
        patch.setenv("WANDB_API_KEY", KEY)
        wandb.teardown()  # else W&B remembers another home
        yield root
    wandb.teardown()


@pytest.fixture(scope="module")
def logged(place):
    """A finished run, and its folder."""
    folder = place / "run"
    more = [f"name=on-{HOST}", "logger.wandb.log_model=true"]
    assert train(f"data.root={place}/data", f"hydra.run.dir={folder}", *more) == 0
    (found,) = offline_runs(folder)
    return found, folder


@pytest.fixture(scope="module")
def swept(place):
    """A sweep of two jobs in one process, the second of which fails, as (status, runs, folders)."""
    more = [f"data.root={place}/data", f"hydra.sweep.dir={place}/thesweep", "test.enabled=false"]
    status = train("-m", *more, "optim.lr=1e-3,1e30")
    began = {path.parent: json.loads(path.read_text())["starts"] for path in place.glob("thesweep/*/status.json")}
    folders = sorted(began, key=began.get)
    return status, [run for folder in folders for run in offline_runs(folder)], folders


def test_the_history_is_that_of_metrics_csv(logged):
    run, folder = logged
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    trained = [row for row in run.history if "train/generator/total" in row]
    validated = [row for row in run.history if "val/mse_composite_hole" in row]
    assert (len(trained), len(validated)) == (6, 2)
    for kind, ours in {"train": trained, "val": validated}.items():
        theirs = [row for row in rows if any(value and key.startswith(kind) for key, value in row.items())]
        for mine, other in zip(ours, theirs, strict=True):
            expected = {key: float(value) for key, value in other.items() if value and key.startswith((kind, "epoch"))}
            assert {key: float(mine[key]) for key in mine if key.startswith((kind, "epoch"))} == expected


def test_everything_is_drawn_over_the_batches(logged):
    run, _ = logged
    assert run.axes["*"] == "batch"
    at = {
        kind: [row["batch"] for row in run.history if any(key.startswith(kind) for key in row)]
        for kind in ("train/", "val/", "samples", "test/")
    }
    assert at == {"train/": list(range(1, 7)), "val/": [3, 6], "samples": [3, 6], "test/": [6]}


def test_gradient_norms_and_right_answers_are_logged_without_clipping(logged):
    trained = [row for row in logged[0].history if "train/generator/total" in row]
    assert all(row["train/generator/gradient_norm"] > 0 for row in trained)
    both = [row for row in trained if "train/discriminator/total" in row]
    assert len(both) == 3
    assert all(row["train/discriminator/gradient_norm"] > 0 for row in both)
    assert all(0 <= row["train/discriminator/accuracy"] <= 1 for row in both)


def test_the_configuration_is_that_of_the_run(logged, place):
    run, folder = logged
    plain = {name: (folder / name).read_text().replace(str(place), "~").replace(HOST, "HOST")
             for name in ("config.yaml", "run.json")}  # fmt: skip
    assert run.config == {**yaml.safe_load(plain["config.yaml"]), "run": json.loads(plain["run.json"])}
    assert (run.config["data"]["root"], run.config["name"]) == ("~/data", "on-HOST")
    assert "data.root=~/data" in run.config["run"]["command"]


def test_the_images_are_the_sample_sheets(logged):
    run, folder = logged
    shown = [row["samples"] for row in run.history if "samples" in row]
    assert [one["captions"] for one in shown] == [[f"epoch {epoch}: 000.png, 001.png"] for epoch in range(2)]
    sent = [np.asarray(Image.open(run.folder / "files" / one["filenames"][0])) for one in shown]
    np.testing.assert_array_equal(sent[-1], np.asarray(Image.open(folder / "samples.png")))
    assert not np.array_equal(sent[0], sent[-1])
    assert {one["filenames"][0] for one in shown} <= run.files


def test_the_final_table_and_the_curves_are_those_of_the_scores(logged):
    run, folder = logged
    scores = json.loads((folder / "scores.json").read_text())
    found = run.table("test/scores")
    rows = {"_".join(row[:3]): dict(zip(found["columns"], row, strict=True)) for row in found["data"]}
    assert set(rows) == set(scores["scores"])
    for name, estimate in scores["scores"].items():
        assert {key: rows[name][key] for key in ("value", "low", "high", "n")} == estimate
    beside = scores["mean_fill"]["mse_composite_hole"]
    row = rows["mse_composite_hole"]
    assert [row[f"mean fill{end}"] for end in ("", " low", " high")] == [
        beside[key] for key in ("value", "low", "high")
    ]
    (last,) = [row for row in run.history if "test/psnr_composite_whole" in row]
    assert last["test/psnr_composite_whole"] == scores["scores"]["psnr_composite_whole"]["value"]
    curve = run.table("mask_ratio/mse_composite_hole_table")
    assert curve["columns"] == ["mask ratio (%)", "value", "low", "high", "n", "group"]
    groups = {row[-1]: row for row in curve["data"]}
    assert set(groups) == set(scores["by_mask_ratio"])
    for label, group in scores["by_mask_ratio"].items():
        estimate = group["scores"]["mse_composite_hole"]
        assert groups[label][1:5] == [estimate[key] for key in ("value", "low", "high", "n")]
        low, high = (float(edge) for edge in label.removesuffix("%").split("-"))
        assert low <= groups[label][0] <= high


def test_checkpoints_are_artifacts_by_phase(logged):
    run, folder = logged
    models = {name: artifact for name, artifact in run.artifacts.items() if artifact.type == "model"}
    identity = run.run.run_id
    assert set(models) == {f"{identity}-{stem}" for stem in ("best-reconstruction", "best-adversarial", "last")}
    for name, artifact in models.items():
        (entry,) = artifact.manifest.contents
        assert entry.path == f"{name.removeprefix(identity + '-')}.ckpt"
        sent, kept = (torch.load(p, weights_only=True) for p in (entry.local_path, folder / "checkpoints" / entry.path))
        assert all(torch.equal(value, sent["state_dict"][key]) for key, value in kept["state_dict"].items())
        assert sent["pose_inpaint"]["random_states"][0]["python"] == kept["pose_inpaint"]["random_states"][0]["python"]
        assert (sent["pose_inpaint"]["config"]["data"]["root"], sent["epoch"]) == ("~/data", kept["epoch"])
    best = json.loads(models[f"{identity}-best-reconstruction"].metadata)
    assert (best["phase"], best["monitor"]) == ("reconstruction", "val/mse_composite_hole")
    scores = [row["val/mse_composite_hole"] for row in run.history if "val/mse_composite_hole" in row]
    assert best["score"] == scores[0]


def test_source_configuration_and_record_are_sent_as_files(logged):
    run, _ = logged
    assert {"recorded/code.zip", "recorded/config.yaml", "recorded/run.json"} <= run.files
    recorded = run.folder / "files" / "recorded"
    with zipfile.ZipFile(recorded / "code.zip") as archive:
        assert archive.read("pose_inpaint/train.py") == (REPOSITORY / "src/pose_inpaint/train.py").read_bytes()
        assert len(archive.namelist()) == len(list((REPOSITORY / "src/pose_inpaint").rglob("*.py")))
    assert yaml.safe_load((recorded / "config.yaml").read_text())["data"]["root"] == "~/data"
    assert json.loads((recorded / "run.json").read_text()) == run.config["run"]


def contents(folder):
    """The bytes of every file, and of what is in zip files."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if path.suffix == ".zip":
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    yield from ((path / name, archive.read(name)) for name in archive.namelist())


def sent(folder):
    """What is in `contents` and would be sent: not W&B's own logs, nor where artifacts' files wait on this machine."""
    for path, content in contents(folder):
        if path.suffix == ".wandb":
            for record in read_records(path):
                for entry in record.artifact.manifest.contents:
                    entry.local_path = ""
                yield path, record.SerializeToString()
        elif path.suffix != ".log":
            yield path, content


def test_no_byte_tells_home_host_or_key(logged, place):
    run, folder = logged
    seen, to_send = (list(found(folder / "wandb")) for found in (contents, sent))
    assert {".wandb", ".png", ".json", ".zip"} <= {path.suffix for path, _ in to_send}
    assert ".log" in {path.suffix for path, _ in seen}
    for secrets, where in (((HOST, KEY), seen), ((str(place), place.name), to_send)):
        for path, content in where:
            for secret in secrets:
                assert secret.encode() not in content, (path, secret)
    assert (run.run.host, run.run.run_group, run.run.job_type) == ("HOST", "on-HOST", "train")
    assert "environment" not in run.kinds  # user, machine, program's path
    assert "output_raw" not in run.kinds  # printed text
    assert not run.run.HasField("git")


def test_no_record_names_this_machine(logged):
    name = Path("/proc/sys/kernel/hostname")
    if not name.exists():
        pytest.skip("the machine's own name is asked of Linux")
    assert not re.search(rf"\b{re.escape(name.read_text().strip())}\b", logged[0].text)


def test_each_job_of_a_sweep_is_a_run_of_its_own(swept):
    _, runs, folders = swept
    assert len({run.run.run_id for run in runs}) == 2
    assert [run.config["optim"]["lr"] for run in runs] == [1e-3, 1e30]
    names = [("thesweep", folder.name) for folder in folders]
    assert [(run.run.run_group, run.run.display_name) for run in runs] == names


def test_a_job_that_fails_ends_with_its_state(swept):
    status, runs, folders = swept
    assert status == 1
    assert [run.exit_code for run in runs] == [0, 1]
    assert (folders[1] / "nonfinite.pt").exists()


def test_checkpoints_stay_here_unless_asked_for(swept):
    assert not [artifact for run in swept[1] for artifact in run.artifacts.values() if artifact.type == "model"]


def test_a_run_that_goes_on_in_its_folder_is_the_same_run(place):
    folder = place / "goes_on"
    more = [f"data.root={place}/data", f"hydra.run.dir={folder}", "test.enabled=false", "logger.wandb.log_code=false"]
    assert train(*more, "trainer.max_epochs=1") == 0
    assert train(*more, f"resume={folder}/checkpoints/last.ckpt") == 0
    first, second = sorted(offline_runs(folder), key=lambda run: run.history[0]["batch"])
    assert first.run.run_id == second.run.run_id == json.loads((folder / "wandb.json").read_text())["id"]
    assert [row["batch"] for row in second.history if "train/generator/total" in row] == [4, 5, 6]
    assert not [path for path in first.files if path.startswith("recorded")]


@pytest.mark.parametrize("more", [["logger.wandb.entity=someone"], []])
def test_nobody_logged_in_is_said_before_anything_is_done(command, tiny_data, tmp_path, monkeypatch, more):
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    wandb.teardown()
    arguments = [f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run", *TINY, "logger=wandb", *more]
    outcome = command("train", "+experiment=authors2018", *arguments)
    wandb.teardown()
    assert outcome.status == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"error: {(more or ['logger=wandb'])[0]}: not logged in to W&B; run `wandb login`")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("logger.wandb.mode=ofline", "logger.wandb.mode=ofline: not one of online, offline"),
        ("logger.wandb.log_model=best", "logger.wandb.log_model=best: not one of false, true, all"),
        (
            "logger.wandb.project=a/b",
            "error: logger.wandb.project=a/b: Invalid project name 'a/b': cannot contain characters",
        ),
        ("+logger.wandb.settings.consle=off", "logger.wandb.settings.consle: Extra inputs are not permitted"),
    ],
)
def test_a_choice_there_is_not_is_named(command, tiny_data, tmp_path, more, words):
    arguments = [f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run", *TINY, "logger=wandb", more]
    offline = [] if "mode" in more else ["logger.wandb.mode=offline"]
    outcome = command("train", "+experiment=authors2018", *arguments, *offline)
    assert "give logger.wandb.mode" not in outcome.err  # advice already taken
    assert (outcome.status, words in outcome.err) == (2, True)
    assert not (tmp_path / "run").exists()
