import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from conftest import PATIENCE

from pose_inpaint.config.differences import check_same_config
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.devices import check_devices
from pose_inpaint.runtime.launcher import FAULT, run_ranks
from pose_inpaint.runtime.ranks import LOST, devices_wanted, must_start_ranks, rank_count, this_rank
from pose_inpaint.training.trainer import learning_rate_factor

TORCHRUN = {"LOCAL_RANK": "1", "RANK": "3", "WORLD_SIZE": "4"}
SLURM = {"SLURM_PROCID": "2", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "4"}


def here(monkeypatch, environment):
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "count", "rank"),
    [({}, 1, 0), (TORCHRUN, 4, 3), (SLURM, 4, 2), ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, 1, 0)],
)
def test_who_started_this_process(monkeypatch, environment, count, rank):
    here(monkeypatch, environment)
    assert (rank_count(), this_rank()) == (count, rank)


@pytest.mark.parametrize(
    ("devices", "accelerator", "count"),
    [
        (1, "cpu", 1),
        ("3", "cpu", 3),
        ([0, 2], "gpu", 2),
        ("0,1", "gpu", 2),
        ("auto", "cpu", 1),
        (-1, "mps", 1),
        ("auto", "gpu", 5),
    ],
)
def test_devices_wanted(monkeypatch, devices, accelerator, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 5)
    assert devices_wanted({"devices": devices, "accelerator": accelerator}) == count


def test_who_starts_ranks(monkeypatch):
    here(monkeypatch, {})
    assert must_start_ranks({"devices": 2, "accelerator": "cpu"})
    assert not must_start_ranks({"devices": 1, "accelerator": "cpu"})
    with pytest.raises(InputError, match=r"num_nodes=2: start a process for each device with srun or torchrun"):
        must_start_ranks({"devices": 2, "num_nodes": 2})
    here(monkeypatch, TORCHRUN)
    assert not must_start_ranks({"devices": 2, "num_nodes": 2})
    with pytest.raises(InputError, match=r"devices=2 x trainer\.num_nodes=1: 2 ranks, but 4 processes"):
        must_start_ranks({"devices": 2})


@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
def test_more_processes_than_cores_are_refused_unless_insisted_on(monkeypatch, accelerator):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    check_devices({"devices": 3, "accelerator": accelerator})
    text = r"devices=99: 99 processes of about a GiB each, but this machine has 3 CPU cores and \d+ GiB of memory; give"
    with pytest.raises(InputError, match=text):
        check_devices({"devices": 99, "accelerator": accelerator})
    monkeypatch.setenv("POSE_INPAINT_MORE_PROCESSES", "1")
    check_devices({"devices": 99, "accelerator": accelerator})


def test_more_processes_than_gpus_are_refused_also_for_auto(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match=r"devices=3: this machine has 2 GPUs"):
        check_devices({"devices": 3, "accelerator": "auto"})


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
@pytest.mark.parametrize("start", ["run_ranks(command, 2)", "run_child(command, pathlib.Path(sys.argv[1]) / 'log')"])
def test_children_end_with_a_killed_parent_without_importing_anything(tmp_path, start):
    wait = f"import os, time; open(f'{tmp_path}/{{os.getpid()}}', 'w'); time.sleep({PATIENCE})"
    code = (
        "import pathlib, sys\nfrom pose_inpaint.runtime.launcher import run_ranks\n"
        "from pose_inpaint.runtime.subprocesses import run_child\n"
        f"command = [sys.executable, '-S', '-c', {wait!r}]\n{start}"
    )
    count, deadline = 2 if "ranks" in start else 1, time.monotonic() + PATIENCE
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while len(children := [path for path in tmp_path.iterdir() if path.name.isdecimal()]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(alive(int(child.name)) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_learning_rate_rules():
    assert [learning_rate_factor(rule, 4) for rule in ("none", "linear", "sqrt")] == [1, 4, 2]


def ranks(code, count=2):
    return run_ranks(
        [sys.executable, "-c", "import os, sys, time, signal; r = int(os.environ['RANK'])\n" + code], count
    )


def test_each_rank_knows_itself_and_the_others(tmp_path):
    code = (
        f"open(f'{tmp_path}/{{r}}', 'w').write(' '.join(os.environ[n] for n in "
        "('LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')))"
    )
    assert ranks(code, 3) == 0
    first, second, third = ((tmp_path / str(rank)).read_text().split() for rank in range(3))
    assert (first[0], second[0], third[0]) == ("0", "1", "2")
    assert first[1:] == second[1:] == third[1:]
    assert "LOCAL_RANK" not in os.environ


def test_the_rank_that_failed_is_named_and_the_others_are_stopped(capfd):
    began = time.monotonic()
    assert (
        ranks(f"print('my error', file=sys.stderr) if r == 1 else time.sleep(1)\nsys.exit(7 if r == 1 else {LOST})")
        == 7
    )
    assert "my error\nerror: rank 1 of 2: exit status 7" in capfd.readouterr().err
    assert ranks("os.kill(os.getpid(), signal.SIGKILL) if r == 1 else time.sleep(0.3)\nsys.exit(1)") == FAULT
    assert "rank 1 of 2: ended by SIGKILL" in capfd.readouterr().err
    assert time.monotonic() - began < PATIENCE


def test_ranks_that_hang_are_killed(monkeypatch, capfd):
    monkeypatch.setattr("pose_inpaint.runtime.launcher.GRACE", 0.2)
    assert ranks("sys.exit(3) if r == 0 else time.sleep(1000)") == 3
    assert capfd.readouterr().err == ""  # rank 0 prints its own error


def test_stop_signals_are_forwarded():
    code = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\nprint(end='')\ntime.sleep(100)"
    threading.Timer(2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    assert ranks(code) == 75
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGHUP, 75), (signal.SIGINT, 130)])
def test_ranks_without_a_handler_yet_count_as_stopped(capfd, number, status):
    threading.Timer(2, lambda: os.kill(os.getpid(), number)).start()
    assert ranks("signal.signal(signal.SIGINT, signal.SIG_DFL)\ntime.sleep(100)") == status
    assert capfd.readouterr().err == f"stopped by {number.name}; continue with resume=auto\n"


def test_a_signal_before_all_ranks_have_started_stops_them(monkeypatch, tmp_path):
    start = run_ranks.__globals__["_start"]

    def asked_meanwhile(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*arguments)

    monkeypatch.setattr("pose_inpaint.runtime.launcher._start", asked_meanwhile)
    assert ranks(f"time.sleep(100 * (r == 0))\nopen(f'{tmp_path}/{{r}}', 'w')") == 75
    assert not any(tmp_path.iterdir())


def test_a_rank_that_stopped_on_request_leaves_the_others_time_to_save(monkeypatch, tmp_path):
    monkeypatch.setattr("pose_inpaint.runtime.launcher.GRACE", 0.2)
    code = f"time.sleep(2 * (r == 0))\nopen(f'{tmp_path}/{{r}}', 'w')\nsys.exit(75)"
    assert ranks(code) == 75
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("beta", [1, 2])
def test_ranks_with_other_settings_are_rejected(monkeypatch, beta):
    configs = [{"loss": {"beta": 1}, "seed": 3}, {"loss": {"beta": beta}, "seed": 3}]
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(
        torch.distributed, "all_gather_object", lambda found, _: found.__setitem__(slice(None), configs)
    )
    if beta == 1:
        check_same_config(configs[0])
        return
    with pytest.raises(InputError, match=r"loss\.beta: rank 1 has loss\.beta=2, rank 0 loss\.beta=1"):
        check_same_config(configs[0])
