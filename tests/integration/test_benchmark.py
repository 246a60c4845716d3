import csv
import json
import os
import shlex
import shutil

import pytest
import torch
from conftest import write_tiny

from pose_inpaint.config.overrides import as_value
from pose_inpaint.multirun.benchmark import stages as benchmark_stages
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked

LEARNING = [
    "trainer=cpu", "data.batch_size=4", "model.width=2", "discriminator.width=2", "loss.generator.perceptual.weight=0",
    "batchnorm.batches=2", "trainer.enable_progress_bar=false", "schedule.phases.0.epochs=1",
    "schedule.phases.1.epochs=1", "samples.count=2",
]  # fmt: skip
METHODS = [
    "+methods.mean={model: mean}",
    "+methods.wide={model: telea, overrides: ['model.radius=5']}",
    "+methods.net={experiment: authors2018}",
]


def arguments(root, output, *more):
    data = ["data=chalearn", f"data.root={root}/data", "data.size=32", "data.workers=0", "device=cpu"]
    return [*data, f"output={output}", f"train={json.dumps(LEARNING)}", *METHODS, *more]


BAD = "+methods.bad={experiment: authors2018, overrides: ['optim.lr=1e30']}"


@pytest.fixture(scope="session")
def done(fork_server, tmp_path_factory):
    """A finished benchmark of three methods, and one whose training raised; each stage is a process of its own."""
    root = tmp_path_factory.mktemp("benchmark")
    write_tiny(root / "data")
    environment = {**os.environ, "POSE_INPAINT_CACHE": str(root / "cache"), "OMP_NUM_THREADS": "1"}
    process = fork_server.start("-m", "pose_inpaint.benchmark", *arguments(root, root / "out", BAD), env=environment)
    out, err = process.communicate()
    assert process.returncode == 1, err + out
    return root


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    """Drawing curves takes longer than the rest of a report; those of `done` are drawn, in its own process."""
    monkeypatch.setattr("pose_inpaint.reporting.report.draw_curves", lambda *_: False)


@pytest.fixture
def copy(done, tmp_path):
    """A copy of the finished benchmark's output that a test may change."""
    shutil.copytree(done / "out", tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def started(monkeypatch):
    """Commands that would have been started; none runs."""
    commands = []
    monkeypatch.setattr(benchmark_stages, "run_child", lambda command, log, start: commands.append(command) or 0)
    return commands


def files(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*") if "report" not in path.parts)


def refused(outcome, *words):
    assert outcome.status == 2, outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


def test_the_rest_is_reported_when_one_method_fails(done):
    report = done / "out/report"
    assert {path.name for path in report.iterdir()} == {
        "table.md", "table.csv", "table.tex", "cost.tex", "groups.md", "groups.csv", "differences.csv",
        "contact_sheet.png", "curves.png", "curves.pdf",
    }  # fmt: skip
    with (report / "table.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["mean", "wide", "net"]
    records = {name: json.loads((done / "out" / name / "evaluate/scores.json").read_text()) for name in rows}
    assert len({record["masks_sha256"] for record in records.values()}) == 1
    assert records["wide"]["model"]["radius"] == 5
    assert records["net"]["checkpoint"]["file"] == "best-adversarial.ckpt"
    assert records["net"]["model"]["width"] == 2
    assert (rows["net"]["parameters"], rows["mean"]["parameters"]) == (str(records["net"]["cost"]["parameters"]), "")
    assert "loss is not finite" in (done / "out/bad/log.txt").read_text()
    assert json.loads((done / "out/bad/benchmark.json").read_text())["done"] == []
    assert json.loads((done / "out/net/benchmark.json").read_text())["done"] == ["train", "evaluate"]


def test_what_is_done_is_not_done_again(command, done, started):
    before = files(done / "out")
    outcome = command("benchmark", *arguments(done, done / "out", BAD, "methods.bad=null"))
    assert outcome.status == 0, outcome.err
    assert started == []
    assert outcome.out.count("already scored") == 3
    assert "3 of 3 methods scored" in outcome.out
    assert files(done / "out") == before


def test_a_second_benchmark_in_the_same_folder_is_refused(command, done, tmp_path, started):
    with locked(tmp_path / "out", "output"):
        outcome = command("benchmark", *arguments(done, tmp_path / "out", "methods.wide=null", "methods.net=null"))
        assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]
    refused(outcome, f"output={tmp_path}/out: process {os.getpid()} is writing there")
    assert started == []


def test_methods_that_failed_are_left_out_of_the_names_to_print(command, copy, done, monkeypatch):
    monkeypatch.setattr(benchmark_stages, "run_child", lambda command, log, start: log.write_text("no") and 2)
    names = "report=['names={mean: Mean fill, bad: Bad}','scores=[mse_composite_hole]']"
    outcome = command("benchmark", *arguments(done, copy, BAD, names))
    assert outcome.status == 1
    assert "3 of 4 methods scored" in outcome.out
    assert "| Mean fill | - |" in (copy / "report/table.md").read_text()


def test_a_failed_method_is_tried_again_and_its_last_words_are_shown(command, copy, done, monkeypatch):
    def fail(command, log, start):
        log.write_text("long ago\nerror: no memory\n")
        return 2

    monkeypatch.setattr(benchmark_stages, "run_child", fail)
    outcome = command("benchmark", *arguments(done, copy, BAD))
    assert outcome.status == 1
    assert "  error: no memory\n" in outcome.err
    assert outcome.err.splitlines()[-1] == f"failed: bad: training, exit status 2; see {copy}/bad/log.txt"
    assert "3 of 4 methods scored" in outcome.out
    assert "| net |" in outcome.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["data.size=48"], ["methods.mean:", "evaluate.data.size=32 (now 48)", "redo=[mean]"]),
        (["methods.net.overrides=['optim.lr=1e-4']"], ["methods.net:", "train.optim.lr=0.001 (now 0.0001)"]),
        (["seed=1"], ["methods.mean:", "evaluate.seed=2018 (now 1)"]),
    ],
)
def test_changed_settings_are_refused_by_key_and_values(command, done, started, more, words):
    before = files(done / "out")
    more = [each.replace("methods.net.overrides", "+methods.net.overrides") for each in more]
    refused(command("benchmark", *arguments(done, done / "out", *more)), *words, "give another output")
    assert started == []
    assert files(done / "out") == before


def test_redo_removes_a_method_and_does_it_again_with_new_settings(command, done, copy, started):
    more = ["+methods.net.overrides=['optim.lr=1e-4']", "redo=[net]"]
    command("benchmark", *arguments(done, copy, *more))
    assert [words[2] for words in started] == ["pose_inpaint.train", "pose_inpaint.evaluate"]
    assert "optim.lr=1e-4" in started[0]
    assert not [word for word in started[0] if word.startswith("resume=")]
    assert not (copy / "net/train").exists()
    assert json.loads((copy / "net/benchmark.json").read_text())["settings"]["train"]["optim"]["lr"] == 1e-4


def cut_off(folder, epoch):
    """Turn a finished method into one whose training was interrupted after `epoch`."""
    record = json.loads((folder / "benchmark.json").read_text())
    (folder / "benchmark.json").write_text(json.dumps(record | {"done": []}))
    shutil.rmtree(folder / "evaluate")
    last = folder / "train/checkpoints/last.ckpt"
    content = torch.load(last, weights_only=True)
    content["InpaintingData"]["epoch"] = epoch + 1  # epochs done
    torch.save(content, last)
    return last


def test_an_interrupted_training_is_resumed(command, done, copy, started):
    last = cut_off(copy / "net", 0)
    command("benchmark", *arguments(done, copy))
    assert [words[2] for words in started] == ["pose_inpaint.train", "pose_inpaint.evaluate"]
    assert f"resume={last}" in started[0]
    assert f"hydra.run.dir={copy}/net/train" in started[0]


def test_a_training_of_which_only_the_end_is_missing_is_not_done_again(command, done, copy, started):
    cut_off(copy / "net", 1)
    outcome = command("benchmark", *arguments(done, copy))
    assert [words[2] for words in started] == ["pose_inpaint.evaluate"]
    assert f"checkpoint={copy}/net/train/checkpoints/best-adversarial.ckpt" in started[0]
    assert "net: already trained" in outcome.out


def test_a_training_without_a_checkpoint_starts_again(command, done, copy, started):
    cut_off(copy / "net", 0).unlink()
    command("benchmark", *arguments(done, copy))
    assert not [word for word in started[0] if word.startswith("resume=")]
    assert not (copy / "net/train").exists()  # else train would refuse its folder


def test_printed_commands_can_be_pasted(command, done, tmp_path, started):
    outcome = command("benchmark", *arguments(done, as_value(str(tmp_path / "an 'odd' folder"))))
    printed = [shlex.split(line) for line in outcome.out.splitlines() if " -m pose_inpaint." in line]
    assert printed == started
    assert len(printed) == 4


def test_a_checkpoint_is_known_by_its_digest(command, done, tiny_checkpoint, tmp_path, started):
    theirs = tmp_path / "theirs.ckpt"
    shutil.copy(tiny_checkpoint, theirs)
    given = [f"+methods.theirs={{checkpoint: {theirs}}}", "methods.net=null"]
    command("benchmark", *arguments(done, tmp_path / "out", *given))
    assert f"checkpoint={theirs}" in started[-1]
    theirs = theirs.rename(tmp_path / "moved.ckpt")
    given[0] = f"+methods.theirs={{checkpoint: {theirs}}}"
    count = len(started)
    outcome = command("benchmark", *arguments(done, tmp_path / "out", *given))
    assert "theirs: already scored" in outcome.out
    assert len(started) == count
    content = torch.load(theirs, weights_only=True)
    torch.save(content | {"more": 1}, theirs)
    refused(command("benchmark", *arguments(done, tmp_path / "out", *given)), "methods.theirs:", "checkpoint.sha256=")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["+methods.x={experiment: autors2018}"], ["methods.x: ", "experiment/autors2018", "quickstart"]),
        (["+methods.x={model: tealea}"], ["methods.x: ", "model/tealea", "telea"]),
        (["+methods.x={modell: telea}"], ["methods.x.modell"]),
        (["+methods.x={model: telea, experiment: authors2018}"], ["methods.x: give one of"]),
        (["+methods.x={}"], ["methods.x: give one of"]),
        (["+methods.report={model: telea}"], ["methods.report: it names a folder"]),
        (["+methods.x={checkpoint: /no.ckpt}"], ["methods.x: checkpoint=/no.ckpt", "no such file"]),
        (["+methods.x={model: unet2018}"], ["methods.x: model: a network without weights"]),
        (["+methods.x={model: telea, overrides: ['model.radius=0']}"], ["methods.x: model.radius=0"]),
        (["+methods.x={model: mean, overrides: ['modle=1']}"], ["methods.x: ", "modle"]),
        (["+methods.x={experiment: authors2018, overrides: ['discriminator=none']}"], ["methods.x: discriminator"]),
        (["+methods.x={experiment: authors2018, overrides: ['trainer.accelerator=abacus']}"], ["methods.x: trainer"]),
        (["evaluate=['split=exam']"], ["split=exam"]),
        (["report=['scors=[]']"], ["report: ", "scors"]),
        (["report=['names={maen: Mean}']"], ["report: names: no run is called maen; there are mean"]),
        (["report=['intervals=both']"], ["report: intervals=both: not one of full, half, none"]),
        (["redo=[tealea]"], ["redo=[tealea]", "mean, wide, net"]),
        (["seeds=[3,3]"], ["seeds=[3, 3]: give each seed once"]),
        (["seeds=[3,-1]"], ["seed=-1"]),
        (["data.root=/no/such"], ["data.root=/no/such"]),
        (["metric=[beauty]"], ["metric/beauty"]),
        (["methods.mean=null", "methods.wide=null", "methods.net=null"], ["methods: none to score"]),
        (["trainer=cpu"], ["trainer"]),
        (["+experiment=authors2018"], ["experiment/authors2018"]),
    ],
)
def test_what_cannot_be_done_stops_it_before_it_starts(command, done, tmp_path, started, more, words):
    alone = [] if more[0].startswith("redo") else ["methods.wide=null", "methods.net=null"]  # sooner done
    refused(command("benchmark", *arguments(done, tmp_path / "out", *alone, *more)), *words)
    assert started == []
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(command, done, tmp_path, started):
    (tmp_path / "out/mean").mkdir(parents=True)
    (tmp_path / "out/mean/thesis.txt").write_text("precious")
    for more in ([], ["redo=[mean]"]):
        refused(
            command("benchmark", *arguments(done, tmp_path / "out", *more)),
            "methods.mean:",
            "was not written by a benchmark",
        )
    assert (tmp_path / "out/mean/thesis.txt").read_text() == "precious"
    assert started == []


def test_other_commands_refuse_a_benchmarks_experiment(command, tmp_path):
    for name in ("train", "evaluate"):
        outcome = command(name, "+experiment=slides_methods", f"hydra.run.dir={tmp_path}/run")
        refused(outcome, "methods: ", "python -m pose_inpaint.benchmark +experiment=NAME")
    assert not (tmp_path / "run").exists()


def test_ctrl_c_exits_with_130(command, done, tmp_path, monkeypatch):
    def interrupt(command, log, start):
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark_stages, "run_child", interrupt)
    outcome = command("benchmark", *arguments(done, tmp_path / "out"))
    assert outcome.status == 130
    assert outcome.err.splitlines() == ["stopped; run the same command again to do the rest"]


def test_trainings_get_data_and_masks_and_scorings_scores_too(command, done, tmp_path, started):
    more = ["mask=squares", "mask.count=[2,3]", "~metric.ssim", "seed=7", "evaluate=['examples=3']"]
    command("benchmark", *arguments(done, tmp_path / "out", *more))
    train, evaluate = started[2:]
    assert {"mask=squares", "mask.count=[2,3]", "seed=7"} <= set(train) & set(evaluate)
    assert {"~metric.ssim", "examples=3", "name=net"} <= set(evaluate) - set(train)
    assert {"trainer=cpu", "test.enabled=false"} <= set(train) - set(evaluate)


def test_experiments_are_trained_once_per_seed_and_scored_alike(command, done, tmp_path, started):
    command("benchmark", *arguments(done, tmp_path / "out", "methods.wide=null", "seeds=[7,8]"))
    last = [{a.split("=")[0]: a.split("=")[1] for a in each if a.startswith(("seed=", "hydra"))} for each in started]
    assert [(each["hydra.run.dir"].removeprefix(f"{tmp_path}/out/"), each["seed"]) for each in last] == [
        ("mean/evaluate", "2018"),
        ("net_seed7/train", "7"),
        ("net_seed7/evaluate", "2018"),
        ("net_seed8/train", "8"),
        ("net_seed8/evaluate", "2018"),
    ]
