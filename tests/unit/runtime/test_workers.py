"""Processes that end with their parent."""

import signal
import subprocess
import sys

import pytest


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_process_whose_parent_ended_before_it_looked_ends_at_once():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = (
        f"from pose_inpaint.runtime.workers import end_with_parent\nend_with_parent({gone.pid})\n"
        "import time\ntime.sleep(1000)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
