"""Training in several processes, through the real command line."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import PATIENCE, TINY, write_split

PLAIN = (
    *(argument for argument in TINY if not argument.startswith(("data.batch", "trainer="))),
    "loss=authors2018", "schedule=authors2018", "model=contextual_attention", "discriminator=contextual_attention",
    "discriminator.width=2", "discriminator.patch=32", "mask=squares", "optim.clip_norm=1", "ema.decay=0.9",
)  # fmt: skip
"""No layer mixes images, and nothing is drawn but masks: the one local patch is the whole image."""
TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


@pytest.fixture
def people(tmp_path):
    """More images than `tiny_data` has: 25 to train on, which neither 6 nor 12 divide, and 5 to validate on."""
    for place, (split, count) in enumerate({"train": 25, "val": 5, "test": 4}.items()):
        write_split(tmp_path / "people" / split, count, seed=place)
    return tmp_path / "people"


@pytest.fixture
def start(fork_server):
    """Starts the command, or what starts it."""

    def begin(*arguments, by=(), **environment):
        command = [*by, "-m", "pose_inpaint.train", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        if not by:
            return fork_server.start(*command, env=environment)
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, *command], stdout=pipe, stderr=pipe, text=True, env=environment)

    return begin


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(folder):
    return torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def wait_for_batches(process, folder, count):
    """Until the run's checkpoint has so many batches."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        last = folder / "checkpoints/last.ckpt"
        if last.is_file() and int(weights(folder)["batches_seen"]) >= count:
            return
        time.sleep(0.05)
    process.kill()
    raise TimeoutError(process.communicate()[1])


def test_two_ranks_train_and_score_as_one_with_batches_twice_as_large(command, start, people, tmp_path):
    data = [*PLAIN, f"data.root={people}"]
    two = start(*data, *TWO, "data.batch_size=6", "trainer.precision=64-true", f"hydra.run.dir={tmp_path}/two")
    alone = ["trainer=cpu", "trainer.precision=64-true", "data.batch_size=12", f"hydra.run.dir={tmp_path}/one"]
    one = command("train", *data, *alone)
    out, err = two.communicate(timeout=PATIENCE)
    assert (one.status, two.returncode) == (0, 0), one.err + err
    assert "2 devices x data.batch_size=6 = 12 images per step; optim.lr=0.001 x 1 = 0.001" in out
    assert out.count("Done:") == 1
    ours, theirs = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert int(ours["batches_seen"]) == int(theirs["batches_seen"]) == 4
    for key, value in ours.items():
        torch.testing.assert_close(
            value, theirs[key], rtol=1e-9, atol=1e-11, msg=lambda text, key=key: f"{key}: {text}"
        )
    start_of = torch.load(tmp_path / "one/checkpoints/best-reconstruction.ckpt", weights_only=True)["state_dict"]
    assert any(not torch.equal(start_of[key], value) for key, value in ours.items() if key.startswith("generator"))
    for one_row, other in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for key in (key for key in one_row if key.startswith("val/") and one_row[key]):
            assert float(one_row[key]) == pytest.approx(float(other[key]), rel=1e-6), key  # logged as single precision
    names = [{str(path.relative_to(tmp_path / run)) for path in (tmp_path / run).rglob("*")} for run in ("one", "two")]
    assert names[0] == names[1]


def test_a_killed_rank_ends_the_run_with_an_error_and_it_can_go_on(start, people, tmp_path):
    run = tmp_path / "run"
    data = [*PLAIN, f"data.root={people}", *TWO, "trainer.precision=64-true", "data.batch_size=2"]
    data += ["test.enabled=false", "checkpoint.every_minutes=0", f"hydra.run.dir={run}"]
    process = start(*data, "schedule.phases.0.epochs=500")
    try:
        wait_for_batches(process, run, 3)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        assert len(children) == 2
        os.kill(int(children[1]), signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "rank 1 of 2: ended by SIGKILL" in err
    assert "resume=auto" in err.splitlines()[-1]
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
    before = int(weights(run)["batches_seen"])
    again = start(*data, "schedule.phases.0.epochs=500", "resume=auto")
    try:
        wait_for_batches(again, run, before + 2)
        again.send_signal(signal.SIGTERM)
        out, err = again.communicate(timeout=PATIENCE)
    finally:
        again.kill()
    assert again.returncode == 75, err
    assert f"{before} batches in total" in out
    assert err.count("stopped by SIGTERM") == 1


def slurm(rank):
    """What Slurm tells a task."""
    return {
        "SLURM_JOB_ID": "17", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_STEP_NUM_TASKS": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost",
        "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "MASTER_ADDR": "127.0.0.1",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("starter", ["torchrun", "slurm"])
def test_ranks_that_others_start(start, people, tmp_path, starter):
    data = [*PLAIN, f"data.root={people}", "trainer=ddp_multinode", "trainer.accelerator=cpu", "trainer.devices=2"]
    data += ["trainer.num_nodes=1", "trainer.precision=64-true", "data.batch_size=6", f"hydra.run.dir={tmp_path}/run"]
    if starter == "torchrun":
        processes = [start(*data, by=["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"])]
    else:
        processes = [start(*data, **slurm(rank)) for rank in range(2)]
    ends = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends
    assert sum(out.count("Done:") for out, _ in ends) == 1
    assert int(weights(tmp_path / "run")["batches_seen"]) == 4


@pytest.mark.slow
def test_ranks_of_different_settings_do_not_train(start, people, tmp_path):
    data = [*PLAIN, f"data.root={people}", "trainer=ddp_multinode", "trainer.accelerator=cpu", "trainer.devices=2"]
    data += ["trainer.num_nodes=1", "trainer.precision=64-true", "data.batch_size=6", f"hydra.run.dir={tmp_path}/run"]
    processes = [start(*data, f"optim.lr={0.1 * (1 + rank)}", **slurm(rank)) for rank in range(2)]
    ends = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [2, 2], ends
    assert "optim.lr=0.2, rank 0 optim" in ends[0][1]
    assert not (tmp_path / "run/checkpoints").exists()
