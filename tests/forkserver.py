"""Starts the package's commands as processes that need not import PyTorch again.

The package's fork server, with everything imported that any command imports; what a command starts in turn (ranks, a
benchmark's stages) is forked from it, too.
"""

import os
import subprocess
import sys
import tempfile

from pose_inpaint.runtime import fork_server
from pose_inpaint.runtime.fork_server import ForkingPopen

MODULES = (
    "pose_inpaint.*", "lightning.pytorch.loggers.wandb", "matplotlib.pyplot", "torch._dynamo", "torch.distributed",
)  # fmt: skip
"""The package's own modules, and what runs import when they come to it."""


class TrueCommands:
    """Starts commands as anybody does: for systems other than Linux."""

    def start(self, *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=None):
        """Starts `python COMMAND` in the working folder, as the leader of a session."""
        words, nothing = [sys.executable, *map(os.fspath, command)], subprocess.DEVNULL
        return subprocess.Popen(
            words, stdin=nothing, stdout=stdout, stderr=stderr, env=env, text=True, start_new_session=True
        )

    def close(self):
        """Nothing is left to end."""


class ForkServer:
    """A server for this process."""

    def __init__(self):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        self.server = fork_server.ForkServer(MODULES, program=[__file__])

    def start(self, *command, stdout=None, stderr=None, env=None):
        """Starts `python COMMAND` in the working folder, as the leader of a session."""
        written = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115
        words = [sys.executable, *map(os.fspath, command)]
        outputs = [
            file.fileno() if given is None else given for file, given in zip(written, (stdout, stderr), strict=True)
        ]
        process = self.server.start(words, *outputs, env)

        def communicate(timeout=None):
            """All that it wrote, once it has ended."""
            process.wait(timeout)
            for file in written:
                file.seek(0)
            return tuple(file.read() for file in written)

        process.communicate = communicate
        return process

    def close(self):
        self.server.close()


if __name__ == "__main__":
    subprocess.Popen = ForkingPopen
    fork_server.main()
