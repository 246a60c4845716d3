import csv
import json
import os
import sys

import pytest
import torch
from conftest import TINY_POSE, add_joints

from pose_inpaint.evaluation.pose_accuracy import measure_accuracy
from pose_inpaint.pose.lightning_module import PoseModule
from pose_inpaint.tracking.files import LOCK
from pose_inpaint.tracking.lock import locked


def train_pose(command, data, tmp_path, *more):
    return command("train_pose", f"data.root={data}", f"hydra.run.dir={tmp_path}/run", *TINY_POSE, *more)


def test_a_run_leaves_weights_that_evaluate_takes(command, tiny_data, tiny_pose, tmp_path):
    scores = json.loads((tiny_pose.parents[1] / "scores.json").read_text())
    assert (scores["split"], scores["pck"]["n"]) == ("test", 4)
    assert 0 <= scores["pck"]["low"] <= scores["pck"]["value"] <= scores["pck"]["high"] <= 1
    content = torch.load(tiny_pose, weights_only=True)
    assert content["pose_inpaint_pose"]["network"] == {"width": 8, "stacks": 1, "depth": 2}
    assert content["pose_inpaint_pose"]["config"]["seed"] == 2018


def test_a_seed_gives_the_same_weights(command, tiny_data, tmp_path):
    add_joints(tiny_data)
    states = []
    for name in ("a", "b"):
        assert train_pose(command, tiny_data, tmp_path / name).status == 0
        states.append(torch.load(tmp_path / name / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_images_can_be_chosen_by_name_and_the_folder_is_locked_until_its_scores_are_written(
    command, tiny_data, tmp_path, monkeypatch
):
    def measure(*arguments):
        assert (tmp_path / "run" / LOCK).exists()
        return measure_accuracy(*arguments)

    monkeypatch.setattr("pose_inpaint.evaluation.pose_accuracy.measure_accuracy", measure)
    add_joints(tiny_data)
    outcome = train_pose(command, tiny_data, tmp_path, "data.names=00*", "data.batch_size=10", "epochs=1")
    assert outcome.status == 0, outcome.err
    assert not (tmp_path / "run" / LOCK).exists()
    outcome = train_pose(command, tiny_data, tmp_path / "other", "data.names=lspet_*")
    assert outcome.status == 2
    assert outcome.err.startswith("error: data.names=lspet_*: matches none of the 12 images of train")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["epochs=0"], "epochs=0: must be positive"),
        (["lr=-1"], "lr=-1: must be positive"),
        (["trainer.devices=2"], "trainer.devices=2: pose estimators are trained on one device; set it to 1"),
        (["weight_decay=-1"], "weight_decay=-1: must be at least 0"),
        (["data.batch_size=1"], "data.batch_size=1: batch normalisation needs at least 2"),
        (["network.width=6"], "network.width=6"),
        (["network.height=6"], "network.height"),
        (["data.size=36"], "multiples of 16 pixels, but the images have 36x36"),
        (["data.batch_size=13"], "data.batch_size=13: only 12 training images"),
    ],
)
def test_settings_that_cannot_be_used(command, tiny_data, tmp_path, arguments, says):
    add_joints(tiny_data)
    outcome = train_pose(command, tiny_data, tmp_path, *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_data_without_joints_are_refused(command, tiny_data, tmp_path):
    outcome = train_pose(command, tiny_data, tmp_path)
    assert outcome.status == 2
    assert "train: 000.png and 11 more images have no joints; list them in joints.json" in outcome.err


def test_joints_of_an_unknown_set_are_refused(command, tiny_data, tmp_path):
    add_joints(tiny_data, names=["a", "b"])
    outcome = train_pose(command, tiny_data, tmp_path)
    assert outcome.status == 2
    assert "joints.json: joint_names=['a', 'b']: unknown set of joints" in outcome.err


def test_a_used_folder_is_refused(command, tiny_data, tmp_path):
    add_joints(tiny_data)
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    outcome = train_pose(command, tiny_data, tmp_path)
    assert outcome.status == 2
    assert "holds a run already" in outcome.err


def test_a_training_killed_in_its_first_epoch_begins_again(command, tiny_data, tmp_path, monkeypatch):
    add_joints(tiny_data)
    arguments = [command, tiny_data, tmp_path, "epochs=1", "trainer.log_every_n_steps=50"]
    with monkeypatch.context() as patch:
        patch.setattr(PoseModule, "on_save_checkpoint", lambda *_: sys.exit(9))
        assert train_pose(*arguments).status == 9
    checkpoints = tmp_path / "run/checkpoints"
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / ".best.ckpt.1.part").write_text("what a killed process leaves")
    (checkpoints / "best.ckpt").write_text("written right before it was killed")
    assert "holds a run already" in train_pose(*arguments).err
    outcome = train_pose(*arguments, "resume=auto")
    assert outcome.status == 0, outcome.err
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert torch.load(checkpoints / "best.ckpt", weights_only=True)["epoch"] == 0
    # One epoch of two batches, fewer than the logging interval: its loss is logged all the same.
    with (tmp_path / "run/metrics.csv").open() as file:
        (loss,) = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert 0.5 < loss < 2  # near that of empty heatmaps, 1


def test_running_out_of_memory_is_said_in_one_line(command, tiny_data, tmp_path, monkeypatch):
    def run_out(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes")

    add_joints(tiny_data)
    monkeypatch.setattr(PoseModule, "training_step", run_out)
    outcome = train_pose(command, tiny_data, tmp_path)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "can't allocate memory: 9 bytes); give a smaller data.batch_size, data.size or network.width" in outcome.err


def test_a_folder_that_another_process_writes_to_is_refused(command, tiny_data, tmp_path):
    add_joints(tiny_data)
    with locked(tmp_path / "run"):
        outcome = train_pose(command, tiny_data, tmp_path)
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: hydra.run.dir={tmp_path}/run: process {os.getpid()} is writing there")
    assert outcome.err.count("\n") == 1


def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(command, tiny_data, tmp_path, monkeypatch):
    add_joints(tiny_data)
    assert train_pose(command, tiny_data, tmp_path / "whole", "epochs=4").status == 0

    def stop(self):
        if self.current_epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(PoseModule, "on_train_epoch_start", stop)
    assert train_pose(command, tiny_data, tmp_path / "cut", "epochs=4").status != 0
    monkeypatch.undo()
    refused = train_pose(command, tiny_data, tmp_path / "cut", "epochs=5", "resume=auto")
    assert refused.status == 2
    assert "made with epochs=4, but this run has epochs=5; give the same" in refused.err
    assert "continue with resume=auto" in train_pose(command, tiny_data, tmp_path / "cut", "epochs=4").err
    assert train_pose(command, tiny_data, tmp_path / "cut", "epochs=4", "resume=auto").status == 0
    first, second = (
        torch.load(tmp_path / name / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "cut")
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    histories = [(tmp_path / name / "run/metrics.csv").read_text() for name in ("whole", "cut")]
    assert histories[0] == histories[1]
