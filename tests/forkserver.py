"""Starts the package's commands as processes that need not import PyTorch again.

A server, which has imported the package and has neither threads nor an autograd engine, forks a process for each
command that it is asked for; what that starts in turn (ranks, a benchmark's stages) is forked from it. They are
processes of their own in every other way: number, session, signals, working folder, environment, exit status.

The server, and all that it has started, end with the process that asked for them, also where that was killed.
"""

import atexit
import importlib
import json
import logging
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from contextlib import suppress
from pathlib import Path

PACKAGE = "pose_inpaint"
LAZY = ("lightning.pytorch.loggers.wandb", "matplotlib.pyplot", "torch._dynamo", "torch.distributed")
"""What runs import when they come to it, beside the package's own modules."""


class ForkingPopen(subprocess.Popen):
    """A `subprocess.Popen` for which command lines of this interpreter are forks of this process.

    `subprocess` forks, sets up streams, session and folder, and calls `preexec_fn`, which here never returns.
    """

    def __init__(self, args, *rest, **keywords):
        words = [args] if isinstance(args, str) else [os.fspath(word) for word in args]
        if words[0] == sys.executable and (words[1] == "-m" or words[1].endswith(".py")):
            environment = dict(os.environ if keywords.get("env") is None else keywords["env"])
            keywords["preexec_fn"] = lambda: become(words[1:], environment)
        super().__init__(words, *rest, **keywords)


def become(words, environment):
    """Makes a forked process what `python WORDS` would be; never returns."""
    status = 1
    try:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them the pipe that tells `subprocess` of a failed start
        forget(environment)
        status = run(words)
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def forget(environment):
    """Leaves nothing of the process that was forked but its modules."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python has them
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    weakref.finalize._registry.clear()  # temporary folders of the other process
    plain = bool(environment.get("PYTHONUNBUFFERED"))
    streams = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = tuple(streams)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty(), write_through=plain)
    sys.stderr.reconfigure(line_buffering=True, write_through=plain, errors="backslashreplace")
    logging.root.handlers.clear()
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):
            if type(handler) is logging.StreamHandler:
                handler.stream = sys.stderr
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


def run(words):
    """Runs a module or a script; returns the exit status."""
    try:
        if words[0] == "-m":
            sys.modules.pop(words[1], None)  # it is imported, and is to be run as the main one
            sys.argv, sys.path[0] = words[1:], str(Path.cwd())
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
        return end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
    return 0


def serve(requests):
    """Starts what it is asked for until nobody is left to ask; says each one's number, and how it ended."""
    running = {}
    while True:
        ready, _, _ = select.select([requests, *running], [], [], 0.02 if running else None)
        if requests in ready:
            request, files, _, _ = socket.recv_fds(requests, 1 << 17, 4)
            if not request:
                break
            asked = json.loads(request)
            report = socket.socket(fileno=files.pop())
            process = ForkingPopen(
                asked["command"], stdin=files[0], stdout=files[1], stderr=files[2], env=asked["environment"],
                cwd=asked["folder"], start_new_session=True,
            )  # fmt: skip
            for file in files:
                os.close(file)
            running[report] = process
            report.send(str(process.pid).encode())
        for report, process in list(running.items()):
            if report in ready:  # nobody waits for it any more
                kill(process)
            if process.poll() is not None:
                with suppress(OSError):
                    report.send(str(process.returncode).encode())
                report.close()
                del running[report]
    for process in running.values():
        kill(process)


def kill(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Started:
    """What `subprocess.Popen` would be of a process that the server has started."""

    def __init__(self, server, command, stdout, stderr, env):
        self.report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._written = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115
        request = {
            "command": command,
            "folder": str(Path.cwd()),
            "environment": dict(os.environ if env is None else env),
        }
        files = [stdout, stderr]
        with Path(os.devnull).open() as nothing:
            outputs = [
                own.fileno() if given is None else given for own, given in zip(self._written, files, strict=True)
            ]
            socket.send_fds(server, [json.dumps(request).encode()], [nothing.fileno(), *outputs, theirs.fileno()])
        theirs.close()
        self.pid, self.returncode = int(self.report.recv(20)), None

    def wait(self, timeout=None):
        """Its exit status."""
        if self.returncode is None:
            if not select.select([self.report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            said = self.report.recv(20)
            assert said, "the fork server has ended"
            self.returncode = int(said)
            self.report.close()
        return self.returncode

    def poll(self):
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        """All that it wrote, once it has ended."""
        self.wait(timeout)
        for file in self._written:
            file.seek(0)
        return tuple(file.read() for file in self._written)


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
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()

    def start(self, *command, stdout=None, stderr=None, env=None):
        """Starts `python COMMAND` in the working folder, as the leader of a session."""
        words = [sys.executable, *map(os.fspath, command)]
        return Started(self._socket, words, stdout, stderr, env)

    def close(self):
        # Processes that were forked here, such as readers of a training that failed, still have the socket.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.wait()


def main():
    import pose_inpaint

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    package = pkgutil.walk_packages(pose_inpaint.__path__, f"{PACKAGE}.")
    for name in (*(module.name for module in package), *LAZY):
        importlib.import_module(name)
    assert threading.active_count() == len(list(Path("/proc/self/task").iterdir())) == 1
    subprocess.Popen = ForkingPopen
    serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # PyTorch takes its time to go


if __name__ == "__main__":
    main()
