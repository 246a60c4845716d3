"""Runs that are asked to end, or killed, go on as if nothing had happened."""

import csv
import json
import multiprocessing
import os
import pickle
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import PATIENCE, TINY, held_by_another

from pose_inpaint.data.dataset import ImageDataset
from pose_inpaint.runtime.signals import StopRequestedError
from pose_inpaint.training.callbacks.timed_checkpoint import ProgressKeeper
from pose_inpaint.training.checkpoint import read_checkpoint
from pose_inpaint.training.lightning_module import InpaintingModule


def arguments(data, run, *more, experiment="authors2018"):
    """Those of a run without scores, unless `more` asks for them."""
    fixed = [f"+experiment={experiment}", f"data.root={data}", f"hydra.run.dir={run}", *TINY, "mask=squares"]
    return [*fixed, "test.enabled=false", *more]


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def assert_same_run(ours, theirs):
    """Weights, optimizers, random state and counters; every file; history and scores."""
    first, second = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (ours, theirs))
    assert first["state_dict"].keys() == second["state_dict"].keys()
    for key, value in first["state_dict"].items():
        assert torch.equal(value, second["state_dict"][key]), key
    for one, other in zip(first["optimizer_states"], second["optimizer_states"], strict=True):
        for place, state in one["state"].items():
            assert all(torch.equal(state[key], other["state"][place][key]) for key in state)
    states = [content["pose_inpaint"]["random_states"][0]["torch"] for content in (first, second)]
    assert torch.equal(*states)
    names = [{str(path.relative_to(run)) for path in run.rglob("*")} for run in (ours, theirs)]
    assert names[0] == names[1]
    assert rows(ours) == rows(theirs)
    for file in ("scores.json", "samples.png", "scores.csv"):
        if (ours / file).exists():
            one, other = ((run / file).read_bytes() for run in (ours, theirs))
            if file == "scores.json":
                one, other = (timeless(json.loads(content)) for content in (one, other))
            assert one == other, file


def timeless(scores):
    """Without what a clock, or the path in a checkpoint, changes."""
    return {key: value for key, value in scores.items() if key not in ("seconds", "cost", "checkpoint")}


@pytest.fixture
def ask(monkeypatch):
    """Sends this process a signal when so many batches were trained."""

    def at(batches, number=signal.SIGTERM):
        whole = ProgressKeeper.on_train_batch_start

        def asking(self, trainer, module, batch, batch_idx):
            if int(module.batches_seen) == batches:
                os.kill(os.getpid(), number)
            whole(self, trainer, module, batch, batch_idx)

        monkeypatch.setattr(ProgressKeeper, "on_train_batch_start", asking)
        return lambda: monkeypatch.setattr(ProgressKeeper, "on_train_batch_start", whole)

    return at


@pytest.fixture(scope="session")
def _cut_off_run(tmp_path_factory):
    """Where the run of `cut_off` is, once a test has made it."""
    return tmp_path_factory.mktemp("cut_off") / "run"


@pytest.fixture
def cut_off(command, ask, tiny_run, _cut_off_run, tmp_path):
    """A copy of a run that Ctrl-C ended in its second epoch, after four batches of six; returns its data and folder.

    How it ended is claimed here, for every test that uses it.
    """
    data = tiny_run.parent / "data"
    if not _cut_off_run.exists():
        undo = ask(4, signal.SIGINT)
        assert command("train", *arguments(data, _cut_off_run)).status == 130
        undo()
    shutil.copytree(_cut_off_run, tmp_path / "run")
    return data, tmp_path / "run"


EMA, SCORED = "ema.decay=0.9", "test.enabled=true"
READ_AHEAD = "data.workers=1"  # by another process


@pytest.mark.parametrize(
    ("batches", "more"),
    [
        (0, []),
        (2, [SCORED]),  # the last batch of an epoch is still to come
        (3, []),  # the first of the next epoch is
        (4, [READ_AHEAD]),  # in the adversarial phase
        (7, [EMA, "schedule.phases.1.epochs=2", "batchnorm.statistics=running"]),
        (1, [EMA, "optim.schedule=one_cycle", "optim.warmup=3", "augment=standard", "ema.warmup=true"]),
    ],
)
def test_a_run_ended_inside_an_epoch_goes_on_as_if_unbroken(command, ask, unbroken, tmp_path, batches, more):
    data, whole = unbroken("mask=squares", "test.enabled=false", *(each for each in more if each != READ_AHEAD))
    undo = ask(batches)
    cut = command("train", *arguments(data, tmp_path / "cut", *more))
    undo()
    assert cut.status == 75
    assert sum(not line.startswith("warning: ") for line in cut.err.splitlines()) == 1
    assert f"stopped by SIGTERM (epoch {batches // 3 + 1}, {batches % 3} of 3 batches)" in cut.err
    torch.rand(5)  # whatever happened meanwhile
    rest = command("train", *arguments(data, tmp_path / "cut", *more, "resume=auto"))
    assert rest.status == 0, rest.err
    assert (f"{batches} batches in total" in rest.out) == (batches > 0)
    assert_same_run(tmp_path / "cut", whole)
    assert json.loads((tmp_path / "cut/run.json").read_text())["resumed_at_batch"] == [batches] * (batches > 0)


@pytest.mark.parametrize("experiment", ["glcic", "contextual_attention"])
def test_draws_go_on_too(command, ask, tiny_data, tmp_path, experiment):
    phases = "schedule.phases=[{name: one, epochs: 2, terms: [reconstruction, adversarial], discriminator: true}]"
    if experiment == "contextual_attention":
        phases = phases.replace("reconstruction", "hole").replace("true}", "true, discriminator_steps: 2}")
    small = [
        *(a for a in TINY if not a.startswith(("schedule", "loss"))),
        "discriminator.width=2",
        phases,
        "mask=squares",
    ]

    def run(name, *more):
        return command(
            "train", f"+experiment={experiment}", f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/{name}", *small,
            *more, "test.enabled=false",
        )  # fmt: skip

    assert run("whole").status == 0
    undo = ask(4)
    assert run("cut").status == 75
    undo()
    assert run("cut", "resume=auto").status == 0
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("output", ["terminal", "pipe"])
def test_a_run_whose_output_is_gone_saves_too(fork_server, tiny_data, tmp_path, output):
    read, write = pty.openpty() if output == "terminal" else os.pipe()
    number, status = (signal.SIGHUP, 75) if output == "terminal" else (signal.SIGINT, 130)
    more = ["trainer.enable_progress_bar=true", "schedule.phases.0.epochs=1000"]
    command = ["-m", "pose_inpaint.train", *arguments(tiny_data, tmp_path / "run", *more)]
    process = fork_server.start(*command, stdout=write, stderr=write)
    os.close(write)
    try:
        while not (tmp_path / "run/checkpoints/last.ckpt").exists():
            os.read(read, 4096) if select.select([read], [], [], 0.05)[0] else None
        process.send_signal(number)
        os.close(read)
        assert process.wait(PATIENCE) == status
    finally:
        process.kill()
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "interrupted"
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert int(last["state_dict"]["batches_seen"]) >= 3


def test_ctrl_c_saves_too_and_has_its_own_status(cut_off):
    _, run = cut_off  # which ended with 130
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["InpaintingData"] == {
        "epoch": 1, "batches": 1, "images": 4,
    }  # fmt: skip


def test_checkpoints_come_by_the_clock(command, tiny_data, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr("lightning.pytorch.Trainer.save_checkpoint", lambda self, path, *_: saved.append(str(path)))
    more = ["checkpoint.every_minutes=0"]
    assert command("train", *arguments(tiny_data, tmp_path / "every", *more)).status == 0
    last = [path for path in saved if path.endswith("last.ckpt")]
    assert len(last) == 2 * 3  # before the second and third batch of each of two epochs, and at the epochs' ends
    saved.clear()
    assert command("train", *arguments(tiny_data, tmp_path / "never", *more, "checkpoint.every_minutes=5")).status == 0
    assert len([path for path in saved if path.endswith("last.ckpt")]) == 2


def test_scoring_that_was_cut_off_is_made_up_for(command, unbroken, tmp_path, monkeypatch):
    data, whole = unbroken("mask=squares", "test.enabled=false", SCORED)

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("pose_inpaint.evaluation.after_training.score_mean_fill", die)
        cut = command("train", *arguments(data, tmp_path / "cut", SCORED))
    assert cut.status == 75
    assert "outside the training" in cut.err
    (tmp_path / "cut/examples/raw").mkdir(parents=True)
    (tmp_path / "cut/examples/raw/.000.png.7.part").touch()  # what a killed process leaves
    rest = command("train", *arguments(data, tmp_path / "cut", SCORED, "resume=auto"))
    assert rest.status == 0, rest.err
    assert "only scoring is left" in rest.out
    assert_same_run(tmp_path / "cut", whole)


def test_auto_begins_where_there_is_nothing_to_resume(command, tiny_data, tmp_path):
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", "resume=auto", "trainer.max_epochs=1"))
    assert outcome.status == 0, outcome.err
    assert "Resumed" not in outcome.out


def test_history_is_cut_back_to_the_checkpoint(command, cut_off):
    data, run = cut_off
    history = run / "metrics.csv"
    before = rows(run)
    with history.open("a") as file:  # what a killed process may leave: rows after the checkpoint, and half a row
        file.write(",".join("7" for _ in before[0]) + "\r\n1,2")
    assert command("train", *arguments(data, run, "resume=auto")).status == 0
    after = rows(run)
    assert after[: len(before)] == before
    assert [row["batch"] for row in after if row["batch"]] == ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]


def test_the_history_is_on_the_disk_before_a_checkpoint_is(command, ask, tiny_data, tmp_path, monkeypatch):
    """A killed process, unlike one that is asked to end, does not finish its logs."""
    ask(4)
    monkeypatch.setattr("pose_inpaint.tracking.history.HistoryLogger.finalize", lambda *_: None)
    command("train", *arguments(tiny_data, tmp_path / "run"))
    assert [row["batch"] for row in rows(tmp_path / "run") if row["batch"]] == ["1.0", "2.0", "3.0", "4.0"]


def damaged(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut short":
        del content[-200:]
    elif how == "one bit":
        with zipfile.ZipFile(path) as archive:
            weights = max(archive.infolist(), key=lambda entry: entry.file_size)
        content[weights.header_offset + 600] ^= 1
    elif how == "code":
        path.write_bytes(b"")
        torch.save({"pose_inpaint": os.system}, path)
        return
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut short", "one bit", "code"])
def test_a_damaged_checkpoint_is_refused_by_name(command, cut_off, how):
    data, run = cut_off
    path = run / "checkpoints/last.ckpt"
    damaged(path, how)
    for outcome in (
        command("train", *arguments(data, run, "resume=auto")),
        command("evaluate", f"checkpoint={path}", "data=chalearn", f"data.root={data}"),
    ):
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1
        assert str(path) in outcome.err
        assert "not a PyTorch checkpoint, or a damaged one" in outcome.err


def test_resuming_names_every_setting_that_differs(command, tiny_run, tmp_path):
    data = tiny_run.parent / "data"
    more = ["seed=7", "optim.lr=0.5", "data.size=64", f"resume={tiny_run}/checkpoints/last.ckpt"]
    argument = ["+experiment=authors2018", f"data.root={data}", f"hydra.run.dir={tmp_path}/new", *TINY, *more]
    outcome = command("train", *argument)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    for words in ("seed=2018", "seed=7", "optim.lr=0.001", "optim.lr=0.5", "data.size=32", "data.size=64"):
        assert words in outcome.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("trainer.precision=64-true", "made with trainer.precision=32-true"),
        ("trainer.precision=64", "made with trainer.precision=32-true, but this run has trainer.precision=64-true"),
        ("+trainer.limit_train_batches=2", "this run has trainer.limit_train_batches=2"),
        ("schedule.phases.0.epochs=2", "made with schedule.phases.0.epochs=1, but this run has 2"),
        ("schedule.phases.0.terms=[hole]", "phases.0.terms=['hole', 'known', 'perceptual'], but this run has ['hole']"),
        (
            "+schedule.phases.1.discriminator_steps=2",
            "made with schedule.phases.1.discriminator_steps=1, but this run has 2",
        ),
    ],
)
def test_resuming_with_another_past_is_refused(command, tiny_run, tmp_path, more, text):
    fixed = [f"data.root={tiny_run.parent}/data", f"hydra.run.dir={tmp_path}/new", *TINY, more]
    outcome = command("train", "+experiment=authors2018", *fixed, f"resume={tiny_run}/checkpoints/last.ckpt")
    assert outcome.status == 2
    assert text in outcome.err
    assert not (tmp_path / "new").exists()


def test_a_phase_may_become_longer_but_not_shorter_than_it_was_trained(command, tiny_data, tmp_path):
    data, run = tiny_data, tmp_path / "run"
    more = ["resume=auto", "test.enabled=false", "schedule.phases.1.epochs=1"]
    two = [*more, "schedule.phases.0.epochs=2"]
    assert command("train", *arguments(data, run, *two, "trainer.max_epochs=2")).status == 0
    shorter = command("train", *arguments(data, run, *more, "schedule.phases.0.epochs=1"))
    assert (shorter.status, shorter.err.count("\n")) == (2, 1)
    assert "made with schedule.phases.0.epochs=2, but this run has 1" in shorter.err
    longer = command("train", *arguments(data, run, *more, "schedule.phases.0.epochs=3"))
    assert longer.status == 0, longer.err
    assert len([row for row in rows(run) if row["batch"]]) == 12  # 3 batches of 4 epochs


def test_a_run_is_not_resumed_into_the_folder_of_another(command, cut_off, tmp_path):
    data, run = cut_off
    other = tmp_path / "other"
    shutil.copytree(run, other)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    outcome = command("train", *arguments(data, other, f"resume={run}/checkpoints/last.ckpt"))
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert f"hydra.run.dir={other}: holds a run already; choose another folder" in outcome.err
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_phases_that_are_to_come_may_change(command, tiny_data, tmp_path):
    one = ["schedule.phases.0.epochs=2", "trainer.max_epochs=1"]
    assert command("train", *arguments(tiny_data, tmp_path / "run", *one)).status == 0
    other = ["schedule.phases.0.epochs=1", "schedule.phases.1.terms=[hole,known]"]
    other += ["schedule.phases.1.discriminator=false", "schedule.phases.1.fresh_output=false"]
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *other, "resume=auto"))
    assert outcome.status == 0, outcome.err
    assert "1 of 2 epochs done" in outcome.out


def test_resuming_with_larger_batches_is_refused_and_leaves_the_run_as_it_was(command, cut_off):
    data, run = cut_off
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    outcome = command("train", *arguments(data, run, "resume=auto", "data.batch_size=6"))
    assert outcome.status == 2
    assert "4 images per step, but data.batch_size=6 on 1 devices makes 6" in outcome.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == files


def test_a_folder_that_another_run_writes_to_is_refused(command, tiny_data, tmp_path):
    with held_by_another(tmp_path / "run") as process:
        outcome = command("train", *arguments(tiny_data, tmp_path / "run"))
        assert outcome.status == 2
        assert f"{tmp_path}/run: process {process} is writing there" in outcome.err
        assert not (tmp_path / "run/checkpoints").exists()
    assert command("train", *arguments(tiny_data, tmp_path / "run", "trainer.max_epochs=1")).status == 0
    assert not (tmp_path / "run/.running").exists()


def test_a_full_disk_leaves_the_checkpoint_before(command, cut_off):
    """A limit on the size of files stands for the disk: writing fails in the same place."""
    data, run = cut_off
    path = run / "checkpoints/last.ckpt"
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        outcome = command("train", *arguments(data, run, "resume=auto", "checkpoint.every_minutes=0"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    assert "can't be written" in outcome.err
    assert "the previous one is intact" in outcome.err
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} == {"last.ckpt", "best-reconstruction.ckpt"}
    assert command("train", *arguments(data, run, "resume=auto")).status == 0


def test_a_data_folder_that_vanishes_ends_the_run_by_name(command, ask, tiny_data, tmp_path, monkeypatch):
    whole = ProgressKeeper.on_train_batch_start

    def vanish(self, trainer, module, batch, batch_idx):
        if int(module.batches_seen) == 4 and tiny_data.exists():
            tiny_data.rename(tmp_path / "gone")
        whole(self, trainer, module, batch, batch_idx)

    more = ["checkpoint.every_minutes=0", "data.packed=false"]
    for workers in (0, 1):
        with monkeypatch.context() as patch:
            patch.setattr(ProgressKeeper, "on_train_batch_start", vanish)
            outcome = command(
                "train", *arguments(tiny_data, tmp_path / "run", *more, f"data.workers={workers}", "resume=auto")
            )
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1, outcome.err
        assert str(tiny_data) in outcome.err
        assert not multiprocessing.active_children()  # readers don't hold up what this process does next
        (tmp_path / "gone").rename(tiny_data)
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more, "resume=auto")).status == 0
    assert command("train", *arguments(tiny_data, tmp_path / "whole", *more)).status == 0
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_a_reading_process_that_is_killed_ends_the_run_with_a_line(command, tiny_data, tmp_path, monkeypatch):
    whole = ImageDataset.__getitems__

    def die(self, keys):
        """Within a batch, so that it is missed: a reader that has handed on all of its epoch may end as it likes."""
        if multiprocessing.parent_process() is not None and isinstance(keys[0], tuple) and keys[0][0] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, keys)

    more = ["data.workers=1", "checkpoint.every_minutes=0"]
    with monkeypatch.context() as patch:
        patch.setattr(ImageDataset, "__getitems__", die)
        outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more))
    assert outcome.status == 2
    assert outcome.err.splitlines()[-1].startswith("error: data.workers: a process that reads images was killed")
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more, "resume=auto")).status == 0


def test_a_reading_process_ends_with_its_parent():
    code = (
        "import multiprocessing, os, time\nfrom pose_inpaint.runtime.workers import follow_parent\n"
        "def read():\n    follow_parent()\n    os.write(1, b'ready\\n')\n    time.sleep(1000)\n"
        "child = multiprocessing.get_context('fork').Process(target=read)\nchild.start()\n"
        "os.write(1, f'{child.pid}\\n'.encode())\ntime.sleep(1000)"  # print would write a line in two parts
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
    (child,) = said - {"ready"}
    os.kill(int(child), signal.SIGTERM)  # a request is its parent's alone
    os.kill(int(child), 0)
    parent.kill()
    parent.wait()
    assert parent.stdout.read() == ""  # closed by the child's end, too


def test_readers_that_a_fault_leaves_over_do_not_keep_the_process(fork_server, tiny_data, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(f"""
import sys
from hydra import compose, initialize_config_dir
from pose_inpaint.build import build_data
from pose_inpaint.config.command import CONF
from pose_inpaint.config.schema import TrainSettings
from pose_inpaint.config.settings import read_settings
with initialize_config_dir(str(CONF), version_base="1.3"):
    config = compose("train", ["data=chalearn", "data.root={tiny_data}", "data.workers=1", "run_dir=x", "data.size=32"])
settings = read_settings(config, TrainSettings)
data = build_data(settings.data, settings.mask, settings.seed)
data.inspect("val")
batches = iter(data.val_dataloader())
next(batches)
sys.exit(3)
""")
    assert fork_server.start(program).wait(PATIENCE) == 3


def test_weights_of_another_run_begin_a_run_and_are_not_taken_again(command, ask, tiny_run, tiny_checkpoint, tmp_path):
    more = [f"init_from={tiny_checkpoint}", "resume=auto"]
    data = tiny_run.parent / "data"
    assert command("train", *arguments(data, tmp_path / "whole", *more)).status == 0
    undo = ask(4)
    assert command("train", *arguments(data, tmp_path / "cut", *more)).status == 75
    undo()
    assert command("train", *arguments(data, tmp_path / "cut", *more)).status == 0
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_a_request_after_the_last_batch_is_heeded_before_the_scoring(command, tiny_data, tmp_path, monkeypatch):
    whole = InpaintingModule.on_validation_epoch_end

    def ask_late(self):
        whole(self)
        if int(self.batches_seen) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(InpaintingModule, "on_validation_epoch_end", ask_late)
        outcome = command("train", *arguments(tiny_data, tmp_path / "run", SCORED))
    assert outcome.status == 75
    assert not (tmp_path / "run/scores.json").exists()
    rest = command("train", *arguments(tiny_data, tmp_path / "run", SCORED, "resume=auto"))
    assert rest.status == 0, rest.err
    assert "only scoring is left" in rest.out


def test_a_request_travels_between_processes():
    error = pickle.loads(pickle.dumps(StopRequestedError(signal.SIGTERM, Path("none.ckpt"), "so far")))
    assert (error.code, error.message) == (75, "stopped by SIGTERM (so far); there is no checkpoint yet")


def test_the_checkpoint_of_a_finished_but_unscored_run_is_read_once(command, tiny_data, tmp_path, monkeypatch):
    run = arguments(tiny_data, tmp_path / "run", "trainer.max_epochs=1")
    assert command("train", *run).status == 0
    read = []
    monkeypatch.setattr(
        "pose_inpaint.training.resume.read_checkpoint", lambda *a: read.append(a) or read_checkpoint(*a)
    )
    outcome = command("train", *run, "resume=auto", "trainer.max_epochs=2")
    assert outcome.status == 0, outcome.err
    assert len(read) == 1
