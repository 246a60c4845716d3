"""The processes that other tests start are what they take them for."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE


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


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has a fork server")
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
