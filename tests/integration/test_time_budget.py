"""Trainings with a budget of minutes end where they should, say so, and go on without losing or repeating a batch."""

import itertools
import json
from types import SimpleNamespace

import pytest
import torch
from conftest import TINY

from pose_inpaint.training.callbacks import time_budget


@pytest.fixture
def tick(monkeypatch):
    """A clock that goes on by so many seconds with every batch."""

    def every(seconds):
        counted = itertools.count()
        monkeypatch.setattr(time_budget, "time", SimpleNamespace(monotonic=lambda: seconds * next(counted)))

    return every


def arguments(data, run, *more):
    return [
        "+experiment=authors2018", f"data.root={data}", f"hydra.run.dir={run}", *TINY, "mask=squares",
        "test.enabled=false", *more,
    ]  # fmt: skip


def weights(folder):
    content = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    moments = [
        value for each in content["optimizer_states"] for state in each["state"].values() for value in state.values()
    ]
    return [*content["state_dict"].values(), *moments, content["pose_inpaint"]["random_states"][0]["torch"]]


@pytest.mark.parametrize("batches", [2, 3, 5])  # inside an epoch, at its end, in the second phase
def test_a_run_cut_short_by_its_budget_goes_on_as_if_unbroken(command, unbroken, tick, tmp_path, batches):
    data, whole = unbroken("mask=squares", "test.enabled=false")
    tick(6)
    cut = command("train", *arguments(data, tmp_path / "cut", f"max_minutes={batches / 10}"))
    assert cut.status == 0, cut.err
    assert f"used up after {batches} batches; phases begun: reconstruction" in cut.out
    assert ("never begun: adversarial" in cut.out) == (batches <= 3)
    begun = ["reconstruction", *(["adversarial"] if batches > 3 else [])]
    status = json.loads((tmp_path / "cut/status.json").read_text())
    assert (status["state"], status["ended_by"], status["phases"]) == ("finished", "max_minutes", begun)
    again = command("train", *arguments(data, tmp_path / "cut", f"max_minutes={batches / 10}", "resume=auto"))
    assert again.status == 0, again.err
    assert f"ended by max_minutes in phase {begun[-1]}, nothing left to do" in again.out
    tick(6)
    rest = command("train", *arguments(data, tmp_path / "cut", "max_minutes=9", "resume=auto"))
    assert rest.status == 0, rest.err
    assert f"{batches} batches in total" in rest.out
    status = json.loads((tmp_path / "cut/status.json").read_text())
    assert (status["ended_by"], status["phases"]) == ("epochs", ["reconstruction", "adversarial"])
    assert all(map(torch.equal, weights(tmp_path / "cut"), weights(whole)))


def test_the_duration_is_counted_over_all_starts_without_a_budget(command, unbroken, tick, tmp_path):
    data, whole = unbroken("mask=squares")
    for more, batches in ((["trainer.max_epochs=1"], 3), (["resume=auto"], 6)):
        tick(6)
        assert command("train", *arguments(data, tmp_path / "run", *more)).status == 0
        content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
        assert content["pose_inpaint"]["seconds"] == 6 * batches
    assert all(map(torch.equal, weights(tmp_path / "run"), weights(whole)))


def test_a_budget_used_up_by_the_last_batch_cuts_nothing_short(command, tiny_data, tick, tmp_path):
    tick(6)
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", "max_minutes=0.3", "trainer.max_epochs=1"))
    assert outcome.status == 0, outcome.err
    assert "used up" not in outcome.out
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["ended_by"], status["phases"]) == ("epochs", ["reconstruction"])


def test_a_budget_counts_over_all_starts(command, tiny_data, tick, tmp_path):
    for minutes, batches in ((0.2, 2), (0.5, 5)):
        tick(6)
        outcome = command("train", *arguments(tiny_data, tmp_path / "run", f"max_minutes={minutes}", "resume=auto"))
        assert f"used up after {batches} batches" in outcome.out, outcome.err


def test_the_learning_rate_runs_over_the_time(command, tiny_data, tick, tmp_path):
    tick(6)
    more = ["max_minutes=0.5", "optim.schedule=linear", "schedule.phases.0.epochs=9"]
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more))
    assert outcome.status == 0, outcome.err
    lines = (tmp_path / "run/metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train/generator/lr")
    rates = [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]
    full = 1e-4 if rates[0] < 2e-4 else 1e-3
    assert rates == pytest.approx([full * share for share in (0.8, 0.6, 0.4, 0.2, 0)])


def test_a_rate_falls_to_the_end_of_the_epochs_if_they_end_first(command, tiny_data, tick, tmp_path):
    tick(6)
    more = ["max_minutes=100", "optim.schedule=linear", "trainer.max_epochs=2"]
    assert command("train", *arguments(tiny_data, tmp_path / "run", *more)).status == 0
    lines = (tmp_path / "run/metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train/generator/lr")
    rates = [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]
    assert [rate / rates[0] for rate in rates] == pytest.approx([1 - step / 6 for step in range(6)], abs=2e-3)


def test_scoring_that_was_cut_off_trains_no_batch_more(command, tiny_data, tick, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("while scoring")

    tick(6)
    run = tmp_path / "run"
    settings = [each for each in arguments(tiny_data, run, "max_minutes=0.5") if each != "test.enabled=false"]
    with monkeypatch.context() as patch:
        patch.setattr("pose_inpaint.evaluation.after_training.score_test", fail)
        with pytest.raises(RuntimeError):
            command("train", *settings)
    before = weights(run)
    tick(6)
    outcome = command("train", *settings, "resume=auto")
    assert outcome.status == 0, outcome.err
    assert (run / "scores.json").exists()
    assert all(map(torch.equal, before, weights(run)))


def test_a_budget_that_ends_before_the_last_phase_is_said_early(command, tiny_data, tick, tmp_path):
    tick(6)
    more = ["max_minutes=3", "schedule.phases.0.epochs=20"]  # 20 epochs x 3 batches x 6 s, and one more tick
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more))
    said = "max_minutes=3: ends before phase 'adversarial' begins, after about 6.1 minutes at 6 s a batch; give more"
    assert outcome.out.count(said) == outcome.out.count("ends before phase") == 1
    assert outcome.out.index(said) < outcome.out.index("used up after 30 batches")


def test_a_budget_in_which_the_last_phase_begins_is_not_complained_of(command, tiny_data, tick, tmp_path):
    tick(6)
    more = ["max_minutes=2.9", "schedule.phases.0.epochs=9"]  # after 27 of 29 batches
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *more))
    assert "used up after 29 batches; phases begun: reconstruction, adversarial. Continue" in outcome.out, outcome.err
    assert "ends before phase" not in outcome.out


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("max_minutes=0", "max_minutes=0: must be positive, or null for no budget"),
        ("optim.schedule=cubic", "optim.schedule=cubic: not one of none, linear, cosine, one_cycle"),
        ("optim.schedule_over=finale", "optim.schedule_over=finale: not one of training, phases, reconstruction"),
        ("optim.warmup=-1", "optim.warmup=-1: must be at least 0"),
        ("optim.warmup=7", "optim.warmup=7: longer than the training of 6 batches"),
        ("optim.warmup=4 optim.schedule_over=adversarial", "longer than the phase 'adversarial' of 3 batches"),
        ("ema.decay=1", "ema.decay=1: must be in (0, 1)"),
        ("trainer.check_val_every_n_epoch=2 max_minutes=1", "with max_minutes the last epoch, which may be any"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(command, tiny_data, tmp_path, setting, text):
    outcome = command("train", *arguments(tiny_data, tmp_path / "run", *setting.split()))
    assert outcome.status != 0
    assert text in outcome.err
    assert not (tmp_path / "run").exists()
