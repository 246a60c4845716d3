"""Sweeps by the real command: values and results of each job, failures and resuming."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import cloudpickle
import pytest
from conftest import TINY, held_by_another
from omegaconf import OmegaConf
from wandb_file import offline_runs

from pose_inpaint.multirun.sweep.job import as_job
from pose_inpaint.tracking.status import Status, write_status

SHORT = ["+experiment=authors2018", *TINY, "test.enabled=false"]
SPACE = ["hydra.sweeper.params=null", "loss.beta=tag(log,interval(0.001,1))"]


@pytest.fixture
def sweep(command, tiny_data, tmp_path):
    """Run a sweep of short jobs in the folder `sweep`."""

    def run(*more, folder="sweep"):
        return command("train", "-m", *SHORT, f"data.root={tiny_data}", f"hydra.sweep.dir={tmp_path}/{folder}", *more)

    return run


def statuses(folder):
    """Status of each job, by folder."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/status.json"))}


def states(folder):
    return sorted(status["state"] for status in statuses(folder).values())


def value(status, key):
    return next(o.partition("=")[2] for o in status["overrides"] if o.startswith(f"{key}="))


def table(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def logged(folder, name):
    with (folder / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def times(folder):
    """Modification time of every file below a folder."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def study(folder, name="sweep"):
    import optuna  # slow to import for those that only collect

    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/study.db")


def test_a_grid_gives_each_job_its_values_a_folder_and_a_line(sweep, tmp_path, monkeypatch):
    started, start = [], subprocess.Popen.__init__
    monkeypatch.setattr(
        subprocess.Popen,
        "__init__",
        lambda self, args, *rest, **more: started.append(args[0]) or start(self, args, *rest, **more),
    )
    outcome = sweep("loss.beta=0.01,0.1", "data.batch_size=4,6", "optimized_metric=psnr_composite_whole")
    assert outcome.status == 0, outcome.err
    assert "4 of 4 jobs finished" in outcome.out
    assert set(started) <= {"git"}  # jobs run in the sweep's own process, which has imported PyTorch
    found = statuses(tmp_path / "sweep")
    configs = [OmegaConf.load(tmp_path / "sweep" / name / "config.yaml") for name in found]
    pairs = {(config.loss.beta, config.data.batch_size) for config in configs}
    assert pairs == {(0.01, 4), (0.01, 6), (0.1, 4), (0.1, 6)}
    for name, status in found.items():
        job = tmp_path / "sweep" / name
        epoch = logged(job, "val/mse_composite_hole")[1:]  # of the last phase
        assert status["scores"]["mse_composite_hole"] == pytest.approx(min(epoch), rel=1e-6)
        assert status["value"] == pytest.approx(logged(job, "val/psnr_composite_whole")[1], rel=1e-6)
    rows = table(tmp_path / "sweep")
    assert {(row["loss.beta"], row["data.batch_size"]) for row in rows} == {(str(b), str(s)) for b, s in pairs}
    assert {row["folder"]: float(row["val/psnr_composite_whole"]) for row in rows} == {
        name: status["value"] for name, status in found.items()
    }
    text = (tmp_path / "sweep" / "sweep.md").read_text()
    first = min(found, key=lambda name: text.index(f"[{name}]"))
    assert found[first]["value"] == max(status["value"] for status in found.values())
    assert "Device: cpu" in text
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 5000


def test_failures_are_recorded_and_the_others_run_also_when_resumed(sweep, command, tmp_path):
    outcome = sweep("loss.beta=-1,0.1", "optim.lr=1e-3,1e30")
    assert outcome.status == 1
    assert "3 of 4 jobs failed" in outcome.err
    folder = tmp_path / "sweep"
    found = {(value(s, "loss.beta"), value(s, "optim.lr")): s for s in statuses(folder).values()}
    assert {pair: status["state"] for pair, status in found.items()} == {
        ("-1", "0.001"): "failed", ("-1", "1e+30"): "failed", ("0.1", "0.001"): "finished", ("0.1", "1e+30"): "failed",
    }  # fmt: skip
    assert found["-1", "0.001"]["error"] == "loss.beta=-1: must be a finite number of at least 0"
    assert found["0.1", "1e+30"]["exception"] == "NonFiniteLossError"
    assert found["0.1", "1e+30"]["value"] is None
    assert {row["state"] for row in table(folder)} == {"failed", "finished"}

    (good,) = [name for name, status in statuses(folder).items() if status["state"] == "finished"]
    before = times(folder / good)
    (half,) = [name for name, status in statuses(folder).items() if status["exception"] == "NonFiniteLossError"]
    again = command("train", "-m", f"sweep.resume={folder}")
    assert again.status == 1
    assert times(folder / good) == before
    assert {name: len(status["starts"]) for name, status in statuses(folder).items()} == {
        name: 1 if name == good else 2 for name in statuses(folder)
    }
    assert statuses(folder)[half]["state"] == "failed"


def test_an_interrupted_job_resumes_from_its_checkpoint(sweep, command, tmp_path, monkeypatch):
    import lightning.pytorch as pl

    folder = tmp_path / "sweep"
    fit = pl.Trainer.fit

    def cut(trainer, *arguments, **keywords):
        """Ctrl-C after the first epoch."""
        trainer.fit_loop.max_epochs = 1
        fit(trainer, *arguments, **keywords)
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.Trainer, "fit", cut)
    outcome = sweep("loss.beta=0.01,0.1", "seed=7")
    assert outcome.status == 130
    assert f"resume with: python -m pose_inpaint.train -m sweep.resume={folder}\n" in outcome.err
    assert states(folder) == ["interrupted"]
    (name,) = statuses(folder)
    assert len(table(folder)) == 1
    monkeypatch.setattr(pl.Trainer, "fit", fit)
    outcome = command("train", "-m", f"sweep.resume={folder}")
    assert outcome.status == 0, outcome.err
    assert states(folder) == ["finished", "finished"]
    assert len(logged(folder / name, "val/mse_composite_hole")) == 2  # one history, of both epochs
    whole = sweep("loss.beta=0.01", "seed=7", folder="whole")
    assert whole.status == 0
    assert statuses(tmp_path / "whole")[name]["value"] == statuses(folder)[name]["value"]


def test_no_job_begins_after_a_failed_one_if_asked(sweep, command, tmp_path):
    outcome = sweep("loss.beta=0.01,-1,0.1", "sweep.on_error=stop")
    folder = tmp_path / "sweep"
    assert outcome.status == 1
    assert states(folder) == ["failed", "finished"]
    assert "1 of 3 jobs finished" in outcome.out
    outcome = command("train", "-m", f"sweep.resume={folder}", "sweep.on_error=continue")
    assert outcome.status == 1
    assert states(folder) == ["failed", "finished", "finished"]


def test_optuna_searches_resumes_and_survives_failures(sweep, command, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    optuna_sweep = ["sweep=optuna", *SPACE, "hydra.sweeper.n_trials=3"]
    from pose_inpaint import train

    run, count = train.run, []

    def failing(config):
        count.append(config.loss.beta)
        if len(count) == 2:
            raise RuntimeError("out of memory")
        if len(count) == 3:
            raise KeyboardInterrupt
        return run(config)

    monkeypatch.setattr(train, "run", failing)
    outcome = sweep(*optuna_sweep)
    assert outcome.status == 130, outcome.err
    assert [trial.state.name for trial in study(folder).trials] == ["COMPLETE", "FAIL", "RUNNING"]
    assert [trial.params["loss.beta"] for trial in study(folder).trials] == count
    assert all(0.001 <= beta <= 1 for beta in count)
    monkeypatch.setattr(train, "run", run)
    outcome = command("train", "-m", f"sweep.resume={folder}")
    assert outcome.status == 0, outcome.err
    assert states(folder) == ["finished"] * 3
    done = [trial for trial in study(folder).trials if trial.state.name == "COMPLETE"]
    assert [trial.params["loss.beta"] for trial in done] == count  # the same values again, no new ones
    by_beta = {float(value(status, "loss.beta")): status["value"] for status in statuses(folder).values()}
    assert {trial.params["loss.beta"]: trial.value for trial in done} == by_beta
    before = len(study(folder).trials)
    assert command("train", "-m", f"sweep.resume={folder}").status == 0  # nothing is left
    assert len(study(folder).trials) == before

    monkeypatch.setattr(train, "run", lambda config: drawn.append(config.loss.beta) or 0.5)
    drawn = []
    assert sweep(*optuna_sweep, folder="again").status == 0
    assert drawn == count  # seeded

    storage = f"hydra.sweeper.storage=sqlite:///{folder}/study.db"
    other = sweep("sweep=optuna", "hydra.sweeper.params=null", "optim.lr=interval(0.1,1)", storage, folder="other")
    assert_refused(other, "another search", "loss.beta", "optim.lr", folder=tmp_path / "other")


def test_optuna_maximizes_what_is_better_higher(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("pose_inpaint.train.run", lambda config: -config.loss.beta)
    psnr = ["sweep=optuna", *SPACE, "hydra.sweeper.n_trials=2", "optimized_metric=psnr_composite_whole"]
    assert_refused(
        sweep(*psnr, "hydra.sweeper.direction=minimize"), "hydra.sweeper.direction=minimize", "psnr_composite_whole"
    )
    assert sweep(*psnr).status == 0
    assert study(tmp_path / "sweep").direction.name == "MAXIMIZE"


def test_every_job_of_optuna_may_fail(sweep, tmp_path, monkeypatch):
    def fail(config):
        raise ZeroDivisionError("no")

    monkeypatch.setattr("pose_inpaint.train.run", fail)
    outcome = sweep("sweep=optuna", *SPACE, "hydra.sweeper.n_trials=2")
    assert outcome.status == 1
    assert "2 of 2 jobs failed" in outcome.err
    assert [trial.state.name for trial in study(tmp_path / "sweep").trials] == ["FAIL", "FAIL"]
    assert not (tmp_path / "sweep" / "sweep.png").exists()


def assert_refused(outcome, *texts, folder=None):
    assert outcome.status == 2, outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    for text in texts:
        assert text in outcome.err
    assert folder is None or not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["loss.gamma=1,2"], ["loss.gamma"]),
        (["seed=1,2", "optimized_metric=lpips_raw_hole"], ["optimized_metric=lpips_raw_hole", "validation"]),
        (["seed=1,2", "sweep.on_error=maybe"], ["sweep.on_error=maybe", "continue, stop"]),
        (["model=unet2018,unet2019"], ["model/unet2019", "glcic"]),
        (["loss.beta=interval(0,1)"], ["loss.beta=interval(0,1)", "sweep=optuna"]),
        (["optimized_metric=mse_raw_whole,mse_composite_hole"], ["optimized_metric: is swept"]),
        (["sweep=optuna", "loss.gamma=interval(0,1)"], ["loss.gamma"]),
        (["seed=1,2", "trainer.devices=2", "hydra/launcher=joblib"], ["trainer.devices=2", "hydra/launcher"]),
        (["seed=1,2", "+trainer.num_nodes=2"], ["trainer.num_nodes=2"]),
        (["seed=1,2", "hydra/launcher=slurm"], ["hydra/launcher/slurm"]),
        (["trainer.devices=1,2", "hydra/launcher=joblib"], ["trainer.devices=2", "hydra/launcher"]),
        (["seed=1,2", "hydra/launcher=submitit_local", "hydra.launcher.tasks_per_node=2"], ["tasks_per_node=2"]),
        (["seed=1,2,1"], ["seed=1,2,1: 1 is listed twice"]),
        (["seed=1,2", "guard.batches=0"], ["guard.batches=0: must be positive"]),
        (["seed=1,2", "test.checkpoint=newest"], ["test.checkpoint=newest"]),
        (["seed=1,2", "data.batch_size=many"], ["data.batch_size", "many"]),
        (["loss.alpha=1e-6,1e-5", "loss.beta=0.1,1"], ["loss.alpha: is swept, but has no effect: no other setting"]),
        (["ema.warmup=true,false"], ["ema.warmup: is swept", "ema.decay is null"]),
        (
            ["loss=slides2018", "seed=1,2"],
            ["schedule.phases: reconstruction names the term 'hole'; loss.generator has"],
        ),
        (["data.root=nowhere", "seed=1,2"], ["data.root=nowhere: no such folder"]),
        (["data.batch_size=13,14"], ["data.batch_size=13: only 12 training images"]),
        (["sweep.resume"], ["sweep.resume=DIR"]),
        (["seed=1,2", "--config-dir=/tmp"], ["--config-dir=/tmp", "hydra.searchpath"]),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(sweep, tmp_path, arguments, texts):
    assert_refused(sweep(*arguments), *texts, folder=tmp_path / "sweep")


def test_a_key_that_one_of_the_jobs_reads_and_a_fault_of_one_job_are_left_to_the_jobs(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("pose_inpaint.train.run", lambda config: 1.0)
    outcome = sweep("ema.warmup=true,false", "ema.decay=null,0.9", "loss=slides2018,authors2018", "data.limit=8")
    assert "0 of 8 jobs finished" in outcome.out, outcome.err  # our stand-in writes no status
    outcome = sweep("seed=1,2", "loss.alpha=0.5", folder="warned")
    assert outcome.err.count("warning: loss.alpha=0.5: has no effect: no other setting refers to it\n") == 1


def test_bad_resumption_is_one_line(sweep, command, tmp_path, monkeypatch):
    monkeypatch.setattr("pose_inpaint.train.run", lambda config: 1.0)
    sweep("seed=1,2")
    assert_refused(command("train", "-m", f"sweep.resume={tmp_path}"), "holds no sweep")
    assert_refused(sweep("seed=1,3", f"sweep.resume={tmp_path}/sweep"), "seed (there 1,2, here 1,3)")
    assert_refused(sweep("seed=3,4"), "holds a sweep already")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert_refused(sweep("seed=1,2", folder="other"), "one of 2", folder=tmp_path / "other")


def test_m_may_come_last(command, tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr("pose_inpaint.train.run", lambda config: float(config.seed))
    more = [f"data.root={tiny_data}", f"hydra.sweep.dir={tmp_path}/sweep", "seed=1,2", "-m"]
    outcome = command("train", *SHORT, *more)
    assert outcome.status == 1  # our stand-in writes no status
    assert "0 of 2 jobs finished" in outcome.out


@pytest.mark.parametrize("devices", [1, 2])
def test_a_job_that_another_process_runs_is_left_to_it(sweep, tmp_path, devices):
    from pose_inpaint.config.resolvers import job_digest

    own = {each.partition("=")[0]: each.replace("=false", "=False") for each in SHORT}  # as Hydra has them
    more = [f"data.root={tmp_path}/tiny", f"trainer.devices={devices}"]
    folder = tmp_path / "sweep" / job_digest([*own.values(), *more, "seed=3"])
    write_status(folder, Status("running", [], "m", starts=["2018"]))
    with held_by_another(folder) as process:
        outcome = sweep("seed=3,4" if devices == 1 else "seed=3", more[1])
    assert outcome.status == 1
    assert f"skipped job {folder.name}: hydra.run.dir={folder}: process {process} is writing" in outcome.err
    assert states(tmp_path / "sweep") == ["finished", "running"][devices - 1 :]
    assert statuses(tmp_path / "sweep")[folder.name]["starts"] == ["2018"]


def test_resume_of_a_sweep_needs_a_multirun(command, tmp_path, tiny_data):
    run = [f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run", f"sweep.resume={tmp_path}"]
    assert_refused(command("train", *SHORT, *run), "add -m", folder=tmp_path / "run")


def test_jobs_can_be_sent_to_other_processes():
    from pose_inpaint import train

    job = cloudpickle.loads(cloudpickle.dumps(as_job(train.run)))
    assert job.__closure__[0].cell_contents is train.run


PARALLEL = [
    ("joblib", ["hydra.launcher.n_jobs=2"]), ("submitit_local", []), ("ray", ["+hydra.launcher.ray.init.num_cpus=2"])
]  # fmt: skip


@pytest.mark.parametrize(
    ("launcher", "more"),
    [("joblib", ["hydra.launcher.n_jobs=1"]), *(pytest.param(*each, marks=pytest.mark.slow) for each in PARALLEL)],
)
def test_launchers_run_jobs_and_bring_back_their_values(sweep, tmp_path, launcher, more):
    outcome = sweep("loss.beta=0.01,-1", f"hydra/launcher={launcher}", *more)
    assert outcome.status == 1, outcome.err
    assert "1 of 2 jobs failed" in outcome.err
    found = {value(status, "loss.beta"): status for status in statuses(tmp_path / "sweep").values()}
    assert {beta: status["state"] for beta, status in found.items()} == {"0.01": "finished", "-1": "failed"}
    (folder,) = [tmp_path / "sweep" / name for name, s in statuses(tmp_path / "sweep").items() if s["value"]]
    assert found["0.01"]["value"] == pytest.approx(min(logged(folder, "val/mse_composite_hole")[1:]), rel=1e-6)


def test_a_job_on_several_devices_is_a_command_that_may_be_killed(sweep, tmp_path, monkeypatch):
    commands = []

    def run_child(command, log, grace):
        """A command that is killed while it trains, then one that finishes."""
        commands.append(command)
        status = Status("running", command[3:-2], "mse_composite_hole", starts=["2018"])
        log.write_text("epoch 1\n")
        if len(commands) == 2:
            status = replace(status, state="finished", value=0.25)
        write_status(log.parent, status)
        return -signal.SIGKILL if len(commands) == 1 else 0

    monkeypatch.setattr("pose_inpaint.multirun.sweep.job.run_child", run_child)
    outcome = sweep("loss.beta=0.01,0.1", "trainer.devices=2")
    assert outcome.status == 1
    found = {value(status, "loss.beta"): status for status in statuses(tmp_path / "sweep").values()}
    assert found["0.01"]["state"] == "failed"
    assert "ended by SIGKILL" in found["0.01"]["error"]
    assert "epoch 1" in found["0.01"]["error"]
    assert (found["0.1"]["state"], found["0.1"]["value"]) == ("finished", 0.25)
    assert [command[-2] for command in commands] == ["resume=auto"] * 2
    assert commands[0][:3] == [sys.executable, "-m", "pose_inpaint.train"]
    assert commands[0][-1].startswith(f"hydra.run.dir={tmp_path}/sweep/")
    monkeypatch.setattr("pose_inpaint.multirun.sweep.runner.check_preparation", lambda *_, **__: None)  # no such file
    sweep("loss.beta=0.2", "trainer.devices=2", "resume=other.ckpt", folder="begun")
    assert [each for each in commands[-1] if each.startswith("resume=")][-1] == "resume=other.ckpt"


@pytest.mark.slow
def test_jobs_on_two_processes_leave_nothing_behind(sweep, tmp_path):
    two = [
        "trainer.devices=2",
        "trainer.strategy=ddp",
        "data.batch_size=2",
        "logger=wandb",
        "logger.wandb.mode=offline",
    ]
    before = dict(os.environ)
    outcome = sweep("loss.beta=0.01,-1", *two)
    assert outcome.status == 1, outcome.err
    found = {value(status, "loss.beta"): status for status in statuses(tmp_path / "sweep").values()}
    assert {beta: status["state"] for beta, status in found.items()} == {"0.01": "finished", "-1": "failed"}
    assert "loss.beta=-1" in found["-1"]["error"]
    assert len(found["0.01"]["starts"]) == 1
    leaked = {name for name in os.environ if "RANK" in name or name.startswith(("MASTER_", "WORLD_"))} - set(before)
    assert leaked == set()
    (folder,) = [tmp_path / "sweep" / name for name, s in statuses(tmp_path / "sweep").items() if s["value"]]
    (run,) = offline_runs(folder)
    assert (run.run.run_group, run.run.display_name) == ("sweep", folder.name)


def test_a_metric_that_is_not_finite_is_a_failure(sweep, tmp_path, monkeypatch):
    from pose_inpaint.training.callbacks.checkpoints import BestOfPhase

    scores = property(lambda self: {"mse_composite_hole": float("inf")}, lambda self, _: None)
    monkeypatch.setattr(BestOfPhase, "scores", scores, raising=False)
    outcome = sweep("seed=1")
    assert outcome.status == 1
    (status,) = statuses(tmp_path / "sweep").values()
    assert (status["state"], status["value"]) == ("failed", None)
    assert "optimized_metric=mse_composite_hole" in status["error"]


@pytest.mark.slow
def test_a_request_to_end_stops_the_sweep_with_a_summary(tiny_data, tmp_path):
    folder = tmp_path / "sweep"
    process = start(*SHORT, f"data.root={tiny_data}", f"hydra.sweep.dir={folder}", "seed=1,2,3,4,5,6,7,8")
    deadline = time.monotonic() + 240
    while "running" not in states(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    output, _ = process.communicate()
    assert process.returncode == 75, output
    assert states(folder)[-1] == "interrupted"
    assert f"sweep.resume={folder}" in output
    assert len(table(folder)) == len(statuses(folder)) < 8


def start(*arguments):
    """The real command line, as a process group of its own."""
    command = [sys.executable, "-m", "pose_inpaint.train", "-m", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


@pytest.mark.slow
def test_twelve_jobs_killed_in_the_middle_and_continued_run_once_each(tiny_data, tmp_path):
    folder = tmp_path / "sweep"
    values = ["loss.beta=0.01,0.1,1", "optim.lr=1e-3,1e-4", "seed=1,2"]
    process = start(*SHORT, f"data.root={tiny_data}", f"hydra.sweep.dir={folder}", *values)
    deadline = time.monotonic() + 240
    while states(folder).count("finished") < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = statuses(folder)
    finished = {name for name, status in before.items() if status["state"] == "finished"}
    assert 5 <= len(finished) < 12
    kept = {name: times(folder / name) for name in finished}
    output, _ = (process := start(f"sweep.resume={folder}")).communicate()
    assert process.returncode == 0, output
    after = statuses(folder)
    assert len(after) == 12
    assert {tuple(value(s, key) for key in ("loss.beta", "optim.lr", "seed")) for s in after.values()} == {
        (b, lr, s) for b in ("0.01", "0.1", "1") for lr in ("0.001", "0.0001") for s in ("1", "2")
    }
    assert {name: times(folder / name) for name in finished} == kept
    unfinished = set(before) - finished  # at most the one that was running
    assert len(unfinished) <= 1
    for name, status in after.items():
        assert status["state"] == "finished"
        assert len(status["starts"]) == (2 if name in unfinished else 1), name
    assert len(table(folder)) == 12
