"""Forked commands are processes like any other, and leave nothing to each other."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE

from pose_inpaint.runtime.fork_server import ForkServer, NoForkServerError, warm_starts
from pose_inpaint.runtime.subprocesses import run_child

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no other system has a fork server")


def test_a_forked_script_has_its_own_words_folder_environment_streams_and_status(fork_server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        "print(sys.argv, __name__, os.getcwd(), os.environ.get('ONLY'), os.environ.get('HOME'), os.getsid(0))\n"
        "print('fault', file=sys.stderr)\n"
        "sys.exit(7)"
    )
    process = fork_server.start(script, "word", env={"ONLY": "this"})
    out, err = process.communicate(PATIENCE)
    assert out == f"{[str(script), 'word']} __main__ {Path.cwd()} this None {process.pid}\n"
    assert (err, process.returncode) == ("fault\n", 7)


def test_a_forked_script_dies_of_signals_and_forks_its_own_commands(fork_server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'pose_inpaint.train', '--help'], stdout=subprocess.PIPE)\n"
        "print('Powered by Hydra' in child.communicate()[0].decode(), child.returncode, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    process = fork_server.start(script)
    out, err = process.communicate(PATIENCE)
    assert (out, err, process.returncode) == ("True 0\n", "", -signal.SIGTERM)


@LINUX
def test_a_process_that_nobody_waits_for_is_killed(fork_server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time\ntime.sleep(10000)")
    process = fork_server.start(script)
    os.kill(process.pid, 0)
    process.report.close()  # as at the end of this process
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{process.pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


LEAVE = """
import atexit, logging, os, random, sys, threading
import numpy, torch
torch.manual_seed(1); numpy.random.seed(1); random.seed(1)
torch.set_default_dtype(torch.float64); torch.use_deterministic_algorithms(True); torch.set_grad_enabled(False)
os.environ["LEFT"] = "behind"; os.chdir("/"); sys.path.append("/left"); sys.modules["left"] = sys
logging.getLogger().addHandler(logging.NullHandler())
threading.Thread(target=threading.Event().wait, daemon=True).start()
torch.ones(64, 64, requires_grad=True)
"""
LOOK = """
import logging, os, sys, threading
import numpy, torch
print(torch.initial_seed(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled())
print(torch.is_grad_enabled(), os.environ.get("LEFT"), os.getcwd(), "/left" in sys.path, "left" in sys.modules)
print(logging.getLogger().handlers, threading.active_count(), torch.cuda.is_initialized(), sys.argv[1:])
print(numpy.random.random(), file=sys.stderr)
"""


@LINUX
def test_a_job_leaves_nothing_to_the_next(fork_server, tmp_path):
    leave, look = tmp_path / "leave.py", tmp_path / "look.py"
    leave.write_text(LEAVE)
    look.write_text(LOOK)
    before, first = fork_server.start(look, "a").communicate(PATIENCE)
    assert fork_server.start(leave).wait(PATIENCE) == 0
    after, second = fork_server.start(look, "a").communicate(PATIENCE)
    assert after == before
    assert "torch.float32 False\nTrue None" in before
    assert first != second, "both draw the same numbers without a seed"


@LINUX
def test_a_server_that_imports_nothing_runs_a_command_line_and_ends_with_its_children(tmp_path):
    with warm_starts(["json"]) as start:
        log = tmp_path / "log.txt"
        log.write_text("before\n")
        script = tmp_path / "script.py"
        script.write_text("import os, sys\nprint(os.environ['PYTHONUNBUFFERED'], flush=True)\nsys.exit('no luck')")
        assert run_child([sys.executable, str(script)], log, start=start) == 1
        assert log.read_text() == "before\n1\nno luck\n"
        script.write_text("import time\ntime.sleep(10000)")
        with log.open("ab") as file:
            left = start([sys.executable, str(script)], file.fileno(), os.environ)
        assert left.poll() is None
    assert left.wait(PATIENCE) == -signal.SIGKILL
    assert not Path(f"/proc/{left.pid}").exists()


@LINUX
def test_a_server_that_cannot_import_is_replaced_by_new_processes(tmp_path, capfd):
    script = tmp_path / "script.py"
    script.write_text("import os\nprint('ran', os.getppid())")
    with warm_starts(["pose_inpaint.no_such_module"]) as start:
        for _ in range(2):
            assert run_child([sys.executable, str(script)], tmp_path / "log.txt", start=start) == 0
    assert (tmp_path / "log.txt").read_text() == f"ran {os.getpid()}\n" * 2
    said = capfd.readouterr().err
    assert said.count("warning: ") == said.count("\n") == 1
    assert "No module named 'pose_inpaint.no_such_module'" in said


@LINUX
def test_a_process_with_threads_is_not_forked(tmp_path, monkeypatch):
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    (tmp_path / "thread_at_import.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(NoForkServerError, match="have started 1 threads"):
        ForkServer(["thread_at_import"])
