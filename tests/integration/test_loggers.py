"""Loggers beside metrics.csv: the same points, images and scores, several at once."""

import csv
import json
import os
import sys
from types import SimpleNamespace

import pytest
from conftest import TINY
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_bad_input import refused
from wandb_file import offline_runs

from pose_inpaint.tracking.tensorboard_logger import TensorBoardLogger

SHORT = ("trainer.log_every_n_steps=50", "schedule.phases.0.epochs=1", "schedule.phases.1.epochs=1")


class Recorder:
    """Stands for the package trackio: keeps what it is given."""

    def __init__(self):
        self.runs = []

    def Image(self, image, caption):  # noqa: N802
        return ("image", image.size, caption)

    def init(self, project, name, group, **more):
        remote = {key for key in os.environ if key in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")}
        points = []
        run = SimpleNamespace(
            name=name, points=points, given={"project": project, "group": group, "remote": remote, **more}, ends=[]
        )
        run.log = lambda values, step: points.append((step, values))
        run.finish = lambda: run.ends.append(len(points))
        self.runs.append(run)
        return run


def train(command, data, folder, *more):
    return command("train", "+experiment=authors2018", f"data.root={data}", f"hydra.run.dir={folder}", *TINY, *more)


def history(folder):
    """Numbers of metrics.csv by name, over the number of batches seen."""
    points = {}
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name != "step":
                    points.setdefault(name, []).append((int(row["step"]) + 1, pytest.approx(float(value), rel=1e-6)))
    return points


def scalars(events):
    """Numbers of TensorBoard's files by name, over their steps."""
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture
def trackio(monkeypatch):
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "trackio", recorder)
    monkeypatch.setenv("TRACKIO_SPACE_ID", "someone/space")
    return recorder


@pytest.fixture
def watched(command, tiny_data, trackio, tmp_path):
    """A run shorter than its logging interval that four loggers were given, and its folder."""
    outcome = train(
        command, tiny_data, tmp_path / "run", *SHORT, "logger=[csv,wandb,tensorboard,trackio]",
        "logger.wandb.mode=offline",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    return tmp_path / "run"


def test_every_logger_has_every_point_image_and_score_of_a_short_run(watched, trackio):
    expected = history(watched)
    assert len(expected["train/generator/total"]) == 4  # the first and the last batch of both phases
    scores = json.loads((watched / "scores.json").read_text())["scores"]
    scored = {f"test/{name}": [(6, pytest.approx(each["value"], rel=1e-6))] for name, each in scores.items()}

    events = EventAccumulator(str(watched / "tensorboard"), {"images": 0, "scalars": 0})
    assert scalars(events) == {**expected, **scored}
    assert [each.step for each in events.Images("samples")] == [3, 6]
    assert events.Tags()["tensors"] == ["configuration/text_summary"]

    (run,) = trackio.runs
    numbers, shown = {}, []
    for batch, values in run.points:
        for name, value in values.items():
            if name == "samples":
                shown.append((batch, value[2]))
            else:
                numbers.setdefault(name, []).append((batch, value))
    assert numbers == {**expected, **scored}
    assert shown == [(3, "epoch 0: 000.png, 001.png"), (6, "epoch 1: 000.png, 001.png")]
    assert (run.name, run.ends) == ("run", [len(run.points)])
    given = {key: run.given[key] for key in ("project", "remote", "space_id", "auto_log_gpu", "auto_log_cpu", "resume")}
    assert given == {
        "project": "pose_inpaint", "remote": set(), "space_id": None, "auto_log_gpu": False, "auto_log_cpu": False,
        "resume": "never",
    }  # fmt: skip
    assert run.given["config"]["seed"] == 2018
    assert run.given["config"]["run"]["batch"]["devices"] == 1

    (sent,) = offline_runs(watched)
    assert [row["batch"] for row in sent.history if "train/generator/total" in row] == [1, 3, 4, 6]


def test_a_resumed_run_goes_on_in_the_same_places(command, tiny_data, trackio, tmp_path):
    loggers = [*SHORT, "logger=[tensorboard,trackio]", "test.enabled=false"]
    assert train(command, tiny_data, tmp_path / "run", *loggers, "trainer.max_epochs=1").status == 0
    outcome = train(command, tiny_data, tmp_path / "run", *loggers, "resume=auto")
    assert outcome.status == 0, outcome.err
    expected = history(tmp_path / "run")
    assert scalars(EventAccumulator(str(tmp_path / "run/tensorboard"), {"scalars": 0})) == expected
    assert [(run.name, run.given["resume"]) for run in trackio.runs] == [("run", "never"), ("run", "allow")]
    assert [batch for run in trackio.runs for batch, values in run.points if "train/generator/total" in values] == [
        1, 3, 4, 6,
    ]  # fmt: skip


def test_what_is_trained_again_replaces_the_points_that_were_logged(tmp_path):
    for first, loss in ((0, 5.0), (2, 7.0)):
        logger = TensorBoardLogger(str(tmp_path))
        logger.begin({})
        for step in range(first, 4):
            logger.log_metrics({"loss": loss}, step)
        logger.end(failed=False)
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"scalars": 0})
    assert scalars(events) == {"loss": [(1, 5.0), (2, 5.0), (3, 7.0), (4, 7.0)]}


def test_several_jobs_have_several_loggers(command, tiny_data, trackio, tmp_path):
    outcome = command(
        "train", "-m", "+experiment=authors2018", f"data.root={tiny_data}", *TINY, *SHORT, "test.enabled=false",
        "trainer.max_epochs=1", f"hydra.sweep.dir={tmp_path}/sweep", "logger=[csv,tensorboard,trackio]",
        "optim.lr=1e-3,1e-4",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    folders = sorted(path.parent for path in (tmp_path / "sweep").glob("*/status.json"))
    assert len(folders) == 2
    assert all(list((folder / "tensorboard").iterdir()) for folder in folders)
    assert sorted(run.name for run in trackio.runs) == [folder.name for folder in folders]
    assert {run.given["group"] for run in trackio.runs} == {"sweep"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["logger=[csv,pigeon]"], ["logger/pigeon", "choose one of csv, tensorboard, trackio, wandb"]),
        (["logger=pigeon"], ["logger/pigeon", "choose one of csv, tensorboard, trackio, wandb"]),
        (["logger=csv,wandb"], ["logger=csv,wandb", "give a list, 'logger=[csv,wandb]'"]),
        (["logger=null"], ["null is not an option of logger"]),
        (["logger=wandb", "logger.mode=offline"], ["logger.mode: is now called logger.wandb.mode"]),
        (["logger.wandb.mode=offline"], ["logger.wandb.mode: logger=wandb is not chosen", "add logger=wandb"]),
    ],
)
def test_what_cannot_be_logged_to_is_one_line(command, tiny_data, tmp_path, arguments, words):
    refused(train(command, tiny_data, tmp_path / "run", *arguments), *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["tensorboard", "trackio"])
def test_a_missing_package_names_the_extra(command, tiny_data, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    outcome = train(command, tiny_data, tmp_path / "run", f"logger={name}")
    refused(outcome, f"logger={name} needs {name}: pip install 'pose-inpaint[{name}]'")
    assert not (tmp_path / "run").exists()
