import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE

from pose_inpaint.runtime.subprocesses import describe_status, last_lines, run_child

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and sessions")


def python(code):
    return [sys.executable, "-c", code]


def test_output_and_errors_are_added_to_the_log_in_order(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    code = "import sys; print('one'); print('two', file=sys.stderr); print('three\\rfour'); raise SystemExit(3)"
    assert run_child(python(code), log) == 3
    assert log.read_bytes().replace(b"\r\n", b"\n") == b"before\none\ntwo\nthree\rfour\n"
    assert last_lines(log, len("before\n")) == ["one", "two", "three", "four"]


def test_errors_of_the_command_stay_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    run_child(python("import os; print(os.environ.get('HYDRA_FULL_ERROR'))"), tmp_path / "log.txt")
    assert last_lines(tmp_path / "log.txt", 0) == ["None"]


@POSIX
def test_a_killed_command_is_named_so(tmp_path):
    status = run_child(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), tmp_path / "log.txt")
    assert describe_status(status) == "ended by SIGKILL (out of memory?)"
    assert describe_status(2) == "exit status 2"


GRANDCHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
"""
PARENT = """
import signal, sys
from pathlib import Path
from pose_inpaint.runtime.subprocesses import run_child
from pose_inpaint.runtime.signals import ending_by_exception
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with ending_by_exception():
    run_child([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]))
"""


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_process_is_left_behind(tmp_path, number):
    log = tmp_path / "log.txt"
    parent = subprocess.Popen([*python(PARENT), GRANDCHILD, str(log)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    grandchild = int(log.read_text())
    parent.send_signal(number)
    assert parent.wait(PATIENCE) in (128 + number, -number)
    while alive(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = f"/proc/{process}/stat"  # in a container, zombies may never be reaped
    return not (os.path.exists(state) and " Z " in open(state).read())  # noqa: PTH110, PTH123
