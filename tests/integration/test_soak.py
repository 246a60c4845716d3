"""The soak script, briefly; docs/reliability.md has what it showed in an hour."""

import json
import shutil
import sys

import pytest
from conftest import REPOSITORY, write_split


@pytest.mark.parametrize(("ranks", "kills"), [(1, 2), pytest.param(2, 3, marks=pytest.mark.slow)])
def test_killed_runs_end_as_unbroken_ones(fork_server, tmp_path, ranks, kills):
    for place, (split, count) in enumerate({"train": 48, "val": 4, "test": 4}.items()):
        write_split(tmp_path / "people" / split, count, seed=place)
    command = [REPOSITORY / "scripts/soak.py", tmp_path / "people", tmp_path / "soak", "--batches=4", "--within=1.2"]
    command += [f"--kills={kills}", f"--ranks={ranks}", "data.size=32", "model.width=2"]
    command += ["checkpoint.every_minutes=0", "schedule.phases.0.epochs=2", f"data.workers={ranks - 1}"]
    process = fork_server.start(*command)
    out, err = process.communicate()
    assert process.returncode == 0, err + out
    found = json.loads((tmp_path / "soak/soak.json").read_text())
    assert (found["kills"], found["differences"], found["hung"]) == (kills, [], 0)


def test_a_difference_would_be_found(tiny_run, tmp_path):
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    try:
        from soak import differences
    finally:
        sys.path.pop(0)
    shutil.copytree(tiny_run, tmp_path / "other")
    assert differences(tiny_run, tmp_path / "other") == []
    (tmp_path / "other/metrics.csv").write_text("step\n1\n")
    (tmp_path / "other/more.txt").touch()
    shutil.copy(
        tmp_path / "other/checkpoints/best-adversarial.ckpt", tmp_path / "other/checkpoints/best-reconstruction.ckpt"
    )
    found = differences(tiny_run, tmp_path / "other")
    assert "only in one: more.txt" in found
    assert "metrics.csv" in found
    assert any(line.startswith("best-reconstruction.ckpt: state_dict.generator") for line in found)
