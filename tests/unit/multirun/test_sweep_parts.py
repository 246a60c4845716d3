"""Parts of a sweep: job names, axes, records."""

import json
import re
import time
from dataclasses import replace

import pytest

from pose_inpaint.config.resolvers import job_digest
from pose_inpaint.errors import InputError
from pose_inpaint.multirun.sweep.chart import draw_sweep, make_axis
from pose_inpaint.multirun.sweep.job import check_launcher
from pose_inpaint.multirun.sweep.record import (
    SweepRecord,
    continued_overrides,
    read_record,
    replace_record,
    write_record,
)
from pose_inpaint.multirun.sweep.summary import Job, ranked, read_jobs, write_summary
from pose_inpaint.tracking.status import Status, read_status, recorded_status, write_status

RECORD = SweepRecord(["+experiment=a", "loss.beta=1,2", "hydra.sweeper.n_trials=3"], ["loss.beta"], "m", "minimize", 2)


def test_the_name_of_a_job_depends_on_its_settings_alone():
    name = job_digest(["loss.beta=1", "seed=2"])
    assert name == job_digest(["seed=2", "loss.beta=1", "sweep=optuna", "sweep.on_error=stop"])
    assert len(name) == 10
    assert len({name, job_digest(["loss.beta=2", "seed=1"]), job_digest(["loss.beta=1"])}) == 3


def test_axes_are_linear_logarithmic_or_of_words():
    assert make_axis("k", ["1", "2", "5"]).heights == [0, 0.25, 1]
    spread = make_axis("k", ["1e-6", "1e-5", "1e-2"])
    assert spread.logarithmic
    assert spread.heights == pytest.approx([0, 0.25, 1])
    assert [text for _, text in spread.ticks] == ["1e-06", "1e-05", "0.01"]
    words = make_axis("model", ["glcic", "unet2018", "glcic"])
    assert words.heights == [0.25, 0.75, 0.25]
    assert [text for _, text in words.ticks] == ["glcic", "unet2018"]
    assert make_axis("k", ["3", "3"]).heights == [0.5, 0.5]
    assert make_axis("k", ["null", "3"]).heights == [0.25, 0.75]
    assert len(make_axis("k", [str(n) for n in range(40)]).ticks) == 8


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        (["optim.lr"], [["1e-4"], ["1e-2"], ["0.1"]]), (["model"], [["glcic"], ["unet2018"], ["glcic"]]),
        (["seed", "model"], [["1", "a"], ["2", "b"], ["", "b"]]), (["seed"], [["1"], ["1"], ["1"]]),
    ],
)  # fmt: skip
def test_every_kind_of_key_is_drawn(keys, values, tmp_path):
    draw_sweep(keys, values, [0.5, 0.5, None], "mse_raw_hole", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_tables_rank_by_direction_and_put_failures_last(tmp_path):
    def job(name, value, overrides, error=None):
        state = "finished" if value is not None else "failed"
        return Job(tmp_path / name, Status(state, overrides, "m", value, error=error), {}, {})

    jobs = [job("a", 2.0, ["loss.beta=1"]), job("b", None, ["loss.beta=2"], "no | yes"), job("c", 1.0, ["loss.beta=3"])]
    assert [each.folder.name for each in ranked(jobs, "minimize")] == ["c", "a", "b"]
    assert [each.folder.name for each in ranked(jobs, "maximize")] == ["a", "c", "b"]
    record = SweepRecord(["loss.beta=1,2,3"], ["loss.beta"], "mse_raw_hole", "minimize", 3)
    write_summary(tmp_path, record, jobs)
    text = (tmp_path / "sweep.md").read_text()
    assert "| [c](c) | 3 | 1.0000 | - | finished |" in text
    assert "| [b](b) | 2 | - | - | failed: no   yes |" in text
    assert (tmp_path / "sweep.csv").read_text().splitlines()[2] == "b,failed,2,,,no | yes"


@pytest.mark.parametrize(("value", "swept"), [(1.0, ["a"]), (1.0, []), (None, ["a"])])
def test_the_table_shows_the_chart_exactly_where_there_is_one(tmp_path, value, swept):
    state = "failed" if value is None else "finished"
    jobs = [Job(tmp_path / "x", Status(state, ["a=1"], "m", value), {}, {})]
    write_summary(tmp_path, SweepRecord(["a=1"], swept, "mse_raw_hole", "minimize", 1), jobs)
    shown = "](sweep.png)" in (tmp_path / "sweep.md").read_text()
    assert shown == (tmp_path / "sweep.png").exists() == (value is not None and bool(swept))


def test_jobs_of_equal_value_are_ties_in_table_and_chart(tmp_path, monkeypatch):
    values = [0.07531, 0.07531 + 8e-9, 0.07533, None]
    jobs = [Job(tmp_path / str(i), Status("finished", ["a=1"], "m", value), {}, {}) for i, value in enumerate(values)]
    drawn = []
    monkeypatch.setattr("pose_inpaint.multirun.sweep.summary.draw_sweep", lambda *given: drawn.append(given[2]))
    write_summary(tmp_path, SweepRecord(["a=1"], ["a"], "mse_raw_hole", "minimize", 4), jobs)
    text = (tmp_path / "sweep.md").read_text()
    assert re.findall(r"^\| \[(\d)\]\(\d\) \| 1 \| (.*?) \|", text, re.M) == [
        ("0", "0.07531 (tie)"), ("1", "0.07531 (tie)"), ("2", "0.07533"), ("3", "-"),
    ]  # fmt: skip
    assert drawn == [[0.07531, 0.07531, 0.07533, None]]


def test_ties_alone_have_no_scale_of_colours(tmp_path, monkeypatch):
    bars = []
    monkeypatch.setattr("matplotlib.figure.Figure.colorbar", lambda *_, **__: bars.append(1))
    for scores in ([0.5, 0.5], [0.5, 0.6]):
        draw_sweep(["seed", "model"], [["1", "a"], ["2", "b"]], scores, "mse_raw_hole", tmp_path / "a.png")
    assert len(bars) == 1


def test_files_of_a_job_that_cannot_be_read_are_said_in_both_tables(tmp_path):
    for name, scores, run in (
        ("a", "{", "[1"),
        ("b", '{"hidden_share": 1}', '{"data": [{"split": "val", "pictures": 4}]}'),
    ):
        write_status(tmp_path / name, Status("finished", ["loss.beta=1"], "mse_raw_hole", 1.0))
        (tmp_path / name / "scores.json").write_text(scores)
        (tmp_path / name / "run.json").write_text(run)
    jobs = read_jobs(tmp_path)
    assert [(job.test, job.folder.name) for job in jobs] == [({}, "a"), ({}, "b")]
    write_summary(tmp_path, SweepRecord(["loss.beta=1"], ["loss.beta"], "mse_raw_hole", "minimize", 2), jobs)
    for text in ((tmp_path / "sweep.md").read_text(), (tmp_path / "sweep.csv").read_text()):
        assert "scores.json can't be read (JSONDecodeError: " in text
        assert "; run.json can't be read (JSONDecodeError: " in text
        assert "scores.json can't be read (KeyError: 'name')" in text


def test_a_record_claims_its_folder_and_says_what_differs(tmp_path):
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    with pytest.raises(InputError, match="holds a sweep already"):
        write_record(tmp_path, RECORD)
    assert continued_overrides(tmp_path, RECORD, []) == RECORD.overrides
    assert continued_overrides(tmp_path, RECORD, ["hydra.sweeper.n_trials=9"])[2] == "hydra.sweeper.n_trials=9"
    same = ["loss.beta=1,2", "+experiment=a"]
    assert sorted(continued_overrides(tmp_path, RECORD, same)) == sorted(RECORD.overrides)
    with pytest.raises(InputError, match=r"loss.beta \(there 1,2, here 1,3\), seed \(there not given, here 4\)"):
        continued_overrides(tmp_path, RECORD, ["+experiment=a", "loss.beta=1,3", "seed=4"])


def test_a_record_follows_what_may_change(tmp_path):
    write_record(tmp_path, RECORD)
    more = replace(RECORD, overrides=[*RECORD.overrides[:2], "hydra.sweeper.n_trials=9"], jobs=9)
    replace_record(tmp_path, more)
    assert read_record(tmp_path) == more
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


PLUGINS = "hydra_plugins.a_plugin."
ALONE, AT_ONCE = {"_target_": "BasicLauncher"}, {"_target_": f"{PLUGINS}joblib_launcher.JoblibLauncher", "n_jobs": -1}
SLURM = {"_target_": f"{PLUGINS}submitit_launcher.SlurmLauncher", "nodes": 1, "tasks_per_node": 1}


@pytest.mark.parametrize(
    ("launcher", "trainer", "text"),
    [
        (AT_ONCE, {"devices": 2}, "trainer.devices=2: a job takes 2 devices"),
        ({"_target_": f"{PLUGINS}ray_launcher.RayLauncher"}, {"devices": [0, 1]}, "a job takes 2 devices"),
        ({"_target_": f"{PLUGINS}submitit_launcher.LocalLauncher"}, {"devices": "0,1"}, "a job takes 2 devices"),
        (ALONE, {"devices": 1, "num_nodes": 2}, "trainer.num_nodes=2"),
        ({**SLURM, "tasks_per_node": 2}, {"devices": 2}, "hydra.launcher.tasks_per_node=2: each task"),
        (ALONE, {"devices": 1, "num_nodes": None}, "trainer.num_nodes=None: give the number of machines"),
        ({**SLURM, "nodes": 3}, {"devices": 1}, "hydra.launcher.nodes=3"),
    ],
)
def test_devices_that_no_launcher_can_give_a_job(launcher, trainer, text):
    with pytest.raises(InputError, match=re.escape(text)):
        check_launcher(launcher, trainer)


@pytest.mark.parametrize("launcher", [ALONE, SLURM, {**AT_ONCE, "n_jobs": 1}])
def test_devices_that_a_launcher_can_give(launcher):
    check_launcher(launcher, {"devices": 2, "num_nodes": 1})
    check_launcher(AT_ONCE, {"devices": 1})


def test_a_status_tells_how_a_run_ended_and_how_often_it_began(tmp_path):
    with recorded_status(tmp_path, ["seed=1"], "m") as result:
        assert read_status(tmp_path).state == "running"
        result.value = 0.5
    assert (read_status(tmp_path).state, read_status(tmp_path).value) == ("finished", 0.5)
    for error, state in {ValueError("a\nb"): "failed", KeyboardInterrupt(): "interrupted"}.items():
        with pytest.raises(type(error)), recorded_status(tmp_path, ["seed=1"], "m"):
            raise error
        assert read_status(tmp_path).state == state
    assert len(read_status(tmp_path).starts) == 3
    before = read_status(tmp_path).seconds
    with recorded_status(tmp_path, ["seed=1"], "m"):
        time.sleep(0.1)
    assert before + 0.1 <= read_status(tmp_path).seconds < before + 5  # of all four
    with pytest.raises(ZeroDivisionError), recorded_status(tmp_path / "none", [], "m", writes=False):
        raise ZeroDivisionError
    assert not (tmp_path / "none").exists()
    (tmp_path / "status.json").write_text(json.dumps({"stat": 1}))
    with pytest.raises(InputError, match=r"status\.json: not a status file"):
        read_status(tmp_path)
