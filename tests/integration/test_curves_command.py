"""Curves of trainings: what is drawn, and what is refused."""

import json
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_bad_input import refused

from pose_inpaint.reporting.training_curves import is_logarithmic, running_mean


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    kept, save = [], Figure.savefig

    def keep(self, *arguments, **more):
        kept.append(self)
        save(self, *arguments, **more)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def write_run(folder, rows, config="name: one\nschedule: {phases: [{name: first}, {name: second}]}\n"):
    folder.mkdir()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join(columns), *(",".join(str(row.get(key, "")) for key in columns) for row in rows)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return folder


def test_a_run_is_drawn_by_column_with_its_phases(command, figures, tmp_path):
    rows = [
        {"step": 0, "phase": 0, "train/generator/total": 8, "train/generator/lr": 0.1, "train/generator/l1": 5},
        {"step": 2, "phase": 0, "train/generator/total": 2, "train/generator/lr": 0.2},
        {"step": 2, "val/mse_composite_hole": 0.5},
        {"step": 3, "phase": 1, "train/generator/total": "nan", "train/generator/lr": 0.0},
        {"step": 5, "val/mse_composite_hole": 0.25},
    ]
    run = write_run(tmp_path / "run", rows)
    with (run / "metrics.csv").open("a") as file:
        file.write("6,0,1")  # cut off where the process was killed
    outcome = command("curves", f"runs={run}", f"output={tmp_path}/out")
    assert outcome.status == 0, outcome.err
    assert outcome.out == f"{tmp_path}/out/training.png: one\n"
    (figure,) = figures
    drawn = {
        panel.get_title(): [line.get_xydata().tolist() for line in panel.lines if line.get_linestyle() == "-"]
        for panel in figure.axes
    }
    assert drawn == {
        "generator loss": [[[1, 8], [3, 2]]],
        "MSE, composite, hole (val)": [[[3, 0.5], [6, 0.25]]],
        "generator learning rate": [[[1, 0.1], [3, 0.2], [4, 0]]],
    }
    for panel in figure.axes:
        marks = [line.get_xdata()[0] for line in panel.lines if line.get_linestyle() == "--"]
        assert (marks, [text.get_text() for text in panel.texts]) == ([1, 4], ["first", "second"])
        assert panel.get_yscale() == "linear"
    with Image.open(tmp_path / "out/training.png") as image:
        assert image.size == (1728, 456)
    assert command("curves", f"runs={run}", f"output={tmp_path}/out").status == 0  # its own image is replaced


def test_runs_have_a_line_and_a_name_each(command, figures, tmp_path):
    loss = [{"step": step, "train/loss": 100 / (1 + step)} for step in range(200)]
    runs = [
        write_run(tmp_path / "a", loss, "name: pose\n"), write_run(tmp_path / "b", loss, "name: pose\n"),
        write_run(tmp_path / "c", loss, None),
    ]  # fmt: skip
    names = f"runs=[{runs[0]},{runs[1]},{runs[2]},{runs[1]}]"
    outcome = command("curves", names, f"output={tmp_path}/all.PNG", "show=[train/*]")
    assert outcome.status == 0, outcome.err
    (figure,) = figures
    (panel,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pose, a", "pose, b", "c", "pose, b #2"]
    assert len(panel.lines) == 8  # each pale, and its running mean over it
    assert panel.get_yscale() == "log"
    assert panel.lines[1].get_ydata()[100] == pytest.approx(np.mean([100 / (1 + s) for s in range(97, 104)]))


def test_running_means_and_axes_by_hand():
    assert running_mean(np.array([1.0, 2.0, 6.0, 3.0]), 3).tolist() == [1.5, 3.0, 11 / 3, 4.5]
    assert running_mean(np.array([1.0, 2.0]), 1).tolist() == [1.0, 2.0]
    assert is_logarithmic("train/generator/total", [1.0] * 50 + [10.0] * 50)
    assert not is_logarithmic("train/generator/total", [1.0] * 99 + [10.0])  # an outlier
    assert not is_logarithmic("train/generator/total", [0.0] + [1.0] * 50 + [10.0] * 50)
    assert not is_logarithmic("train/generator/lr", [1.0] * 50 + [10.0] * 50)


def test_a_training_is_drawn(command, tiny_run, figures, tmp_path):
    outcome = command("curves", f"runs=[{tiny_run}]", f"output={tmp_path}/tiny.png")
    assert outcome.status == 0, outcome.err
    assert json.loads((tiny_run / "status.json").read_text())["state"] == "finished"
    titles = [panel.get_title() for panel in figures[0].axes if panel.get_title()]
    assert titles[:2] == ["discriminator loss", "generator loss"]
    assert {"PSNR (dB), composite, whole (val)", "discriminator learning rate"} <= set(titles)
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["reconstruction", "adversarial"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs=[{0}/empty]"], ["/empty: no metrics.csv in it; give the folder of a training"]),
        (["runs=[{0}/none]"], ["/none: no metrics.csv in it"]),
        (["runs=[]"], ["runs=[]: give the folders of trainings"]),
        (["runs=[{0}/begun]"], ["/begun: metrics.csv has no number yet in a column of train/*/total"]),
        (["runs=[{0}/good]", "show=[vall/*]"], ["/good: metrics.csv has no number yet in a column of vall/*"]),
        (["runs=[{0}/torn]"], ["/torn: config.yaml can't be read"]),
        (["runs=[{0}/good]", "output={0}/mine.png"], ["/mine.png: exists, and was not written by curves"]),
        (["runs=[{0}/good]", "output={0}/mine.png/out"], ["output=", "can't be written"]),
    ],
)
def test_what_cannot_be_drawn_is_one_line(command, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    row = {"step": 0, "train/generator/total": 1}
    write_run(tmp_path / "good", [row])
    write_run(tmp_path / "begun", [{"step": "", "train/generator/total": ""}])
    write_run(tmp_path / "torn", [row], "name: [\n")
    (tmp_path / "mine.png").write_text("mine")
    given = [argument.format(tmp_path) for argument in arguments]
    output = [] if len(given) > 1 and given[1].startswith("output") else [f"output={tmp_path}/out"]
    refused(command("curves", *given, *output), *words)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "mine.png").read_text() == "mine"


def test_without_matplotlib_the_extra_is_named(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run = write_run(tmp_path / "run", [{"step": 0, "train/loss": 1}])
    refused(command("curves", f"runs={run}", f"output={tmp_path}/a.png"), "pip install 'pose-inpaint[charts]'")
    assert not (tmp_path / "a.png").exists()
