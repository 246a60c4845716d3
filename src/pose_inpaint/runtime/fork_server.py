"""Warm process that forks commands, which then need not import PyTorch again (Linux).

The server imports modules and does nothing else: no thread, no CUDA context, no command has run in it. Every command is
a fork of it, so that none leaves anything to the next, and is a process of its own in every other way: number, session,
signals, working folder, environment, exit status. The server, and all that it has started, end with the process that
asked for them, also if that is killed.
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
import threading
import traceback
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, cast

from pose_inpaint.runtime.subprocesses import Process, Start, kill_group, start_cold
from pose_inpaint.runtime.workers import end_with_launcher

READY = b"ready"
POLLED = 0.02  # seconds between two looks at whether a command has ended


class NoForkServerError(Exception):
    """The fork server could not start, or has ended."""


class ForkingPopen(subprocess.Popen[Any]):
    """A `subprocess.Popen` for which command lines of this interpreter are forks of this process.

    `subprocess` forks, sets up streams, session and folder, and calls `preexec_fn`, which here never returns.
    """

    def __init__(self, args: str | Sequence[str | os.PathLike[str]], *rest: Any, **keywords: Any) -> None:
        words = [args] if isinstance(args, str) else [os.fspath(word) for word in args]
        if words[0] == sys.executable and (words[1] == "-m" or words[1].endswith(".py")):
            environment = dict(os.environ if keywords.get("env") is None else keywords["env"])
            first = keywords.get("preexec_fn")

            def fork() -> NoReturn:
                if first is not None:
                    first()
                become(words[1:], environment)

            keywords["preexec_fn"] = fork
        super().__init__(words, *rest, **keywords)


def become(words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Make a forked process what `python WORDS` would be."""
    status = 1
    try:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them the pipe that tells `subprocess` of a failed start
        _forget(environment)
        status = _run(words)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _forget(environment: Mapping[str, str]) -> None:
    """Leave nothing of the process that was forked but its modules."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python has them
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]  # temporary folders of the other process
    unbuffered = bool(environment.get("PYTHONUNBUFFERED"))
    streams = [cast("TextIOWrapper", open(number, mode, closefd=False)) for number, mode in enumerate("rww")]  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    streams[1].reconfigure(line_buffering=streams[1].isatty(), write_through=unbuffered)
    streams[2].reconfigure(line_buffering=True, write_through=unbuffered, errors="backslashreplace")
    logging.root.handlers.clear()
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):
            if type(handler) is logging.StreamHandler:
                handler.stream = sys.stderr
    if "numpy" in sys.modules:  # forks would draw the same numbers where nothing is seeded; Python's reseeds itself
        sys.modules["numpy"].random.seed()
    if "hydra" in sys.modules:
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.hydra_config import HydraConfig

        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None


def _run(words: Sequence[str]) -> int:
    """Run a module or a script; return the exit status."""
    try:
        if words[0] == "-m":
            sys.modules.pop(words[1], None)  # it may be imported, and is to be run as the main one
            sys.argv, sys.path[0] = list(words[1:]), str(Path.cwd())
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = list(words), str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
        return end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
    return 0


def serve(requests: socket.socket) -> None:
    """Start what is asked for until nobody is left to ask; tell each one's number, and how it ended."""
    running: dict[socket.socket, ForkingPopen] = {}
    while True:
        ready, _, _ = select.select([requests, *running], [], [], POLLED if running else None)
        if requests in ready:
            request, files, _, _ = socket.recv_fds(requests, 1 << 20, 4)
            if not request:
                break
            asked = json.loads(request)
            report = socket.socket(fileno=files.pop())
            process = ForkingPopen(
                asked["command"], stdin=files[0], stdout=files[1], stderr=files[2], env=asked["environment"],
                cwd=asked["folder"], start_new_session=True, preexec_fn=end_with_launcher,
            )  # fmt: skip
            for file in files:
                os.close(file)
            running[report] = process
            report.send(str(process.pid).encode())
        for report, process in list(running.items()):
            if report in ready:  # nobody waits for it any more
                kill_group(process)
            if process.poll() is not None:
                with suppress(OSError):
                    report.send(str(process.returncode).encode())
                report.close()
                del running[report]
    for process in running.values():
        kill_group(process)


class Forked:
    """What `subprocess.Popen` would be of a process that the server has started."""

    def __init__(
        self, server: socket.socket, command: Sequence[str], stdout: int, stderr: int, env: Mapping[str, str] | None
    ) -> None:
        self.report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = dict(os.environ if env is None else env)
        request = {"command": list(command), "folder": str(Path.cwd()), "environment": environment}
        with theirs, Path(os.devnull).open() as nothing:
            files = [nothing.fileno(), stdout, stderr, theirs.fileno()]
            socket.send_fds(server, [json.dumps(request).encode()], files)
        said = self.report.recv(20)
        if not said:
            raise NoForkServerError("the process that forks commands has ended")
        self.pid = int(said)
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended."""
        if self.returncode is None:
            if not select.select([self.report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self.returncode = int(self.report.recv(20) or -signal.SIGKILL)  # the server's end takes it along
            self.report.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A server of this process; it is ready when it has imported the modules.

    Args:
        modules: Modules to import; "NAME.*" for a package and everything in it.
        program: Arguments of the interpreter that start the server, before the modules.

    Raises:
        NoForkServerError: The system can't fork safely, or a module can't be imported.
    """

    def __init__(self, modules: Iterable[str], program: Sequence[str] = ("-m", __name__)) -> None:
        if sys.platform != "linux":
            raise NoForkServerError(f"forking is not safe on {sys.platform}")
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # OpenBLAS starts its threads when it is imported; asking NVML for GPUs needs no CUDA context.
        environment = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1", **os.environ}
        environment.pop("HYDRA_FULL_ERROR", None)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *program, *modules], stdin=theirs.fileno(), env=environment, start_new_session=True
            )
        said = self._socket.recv(1 << 12)
        if said != READY:
            self.close()
            raise NoForkServerError(said.decode() or f"exit status {self._process.returncode}")

    def start(self, command: Sequence[str], stdout: int, stderr: int, env: Mapping[str, str] | None = None) -> Forked:
        """Start `command`, whose first word is this interpreter, in the working folder as the leader of a session."""
        try:
            return Forked(self._socket, command, stdout, stderr, env)
        except OSError as error:
            raise NoForkServerError(str(error)) from error

    def close(self) -> None:
        """End the server and all that it has started."""
        with suppress(OSError):  # it has ended
            # Processes that were forked here, such as readers of a training that failed, still have the socket.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.wait()


@contextmanager
def warm_starts(modules: Iterable[str], *, warm: bool = True) -> Iterator[Start]:
    """Yield a function that starts commands: by a fork server, made when first needed, or cold where there is none."""
    server: ForkServer | None = None

    def start(command: Sequence[str], output: int, environment: Mapping[str, str]) -> Process:
        nonlocal server, warm
        if warm:
            try:
                server = server or ForkServer(modules)
                return server.start(command, output, output, environment)
            except NoForkServerError as error:
                warm = False
                if sys.platform == "linux":
                    print(f"warning: each command imports PyTorch again: {error}", file=sys.stderr)
        return start_cold(command, output, environment)

    try:
        yield start
    finally:
        if server is not None:
            server.close()


def import_all(modules: Iterable[str]) -> None:
    """Import modules; "NAME.*" for a package and everything in it."""
    for module in modules:
        name, dot, _ = module.partition(".*")
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}.") if dot else ():
            importlib.import_module(found.name)


def unsafe_to_fork() -> str | None:
    """Say what a fork of this process would lack, such as threads or a CUDA context; None if it would lack nothing."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        return f"the imported modules have started {threads - 1} threads"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "an imported module has initialised CUDA"
    return None


def main() -> NoReturn:
    """Import the modules of the command line, and serve the process at the other end of standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = socket.socket(fileno=os.dup(0))
    try:
        import_all(sys.argv[1:])
        reason = unsafe_to_fork()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    with suppress(OSError):  # nobody is left
        requests.send(READY if reason is None else reason.encode()[: 1 << 11])
        if reason is None:
            serve(requests)
    os._exit(0)  # PyTorch takes its time to go


if __name__ == "__main__":
    main()
