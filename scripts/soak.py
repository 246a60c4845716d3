"""Kill a training repeatedly, resume it each time, and compare the result with an uninterrupted run.

    python scripts/soak.py DATA OUTPUT [--kills 100] [--ranks 1] [--seed 0] [KEY=VALUE ...]

DATA holds images in the challenge's layout. Each kill is a SIGKILL at a random moment, to the whole run or one of its
processes. The resumed run must end with the same weights, optimizer states, history and scores, bit for bit, and the
same files; otherwise the script exits with status 1. It writes OUTPUT/soak.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import torch

SMALL = (
    "+experiment=authors2018_cpu", "data=chalearn", "data.size=64", "data.batch_size={batch}", "data.workers=1",
    "model.width=4", "++trainer.limit_train_batches={batches}", "data.limit=400", "trainer.enable_progress_bar=false",
    "trainer.log_every_n_steps=1", "batchnorm.batches=4", "checkpoint.every_minutes=0.02",
)  # fmt: skip
"""A quarter of authors2018_cpu's width and half its size: a batch takes a fraction of a second, like a checkpoint."""
PAUSE = 0.02  # seconds between two polls of the run
STUCK = 300.0  # seconds after a kill before a run counts as hung


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("output", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--batches", type=int, default=30, help="batches per epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--within", type=float, default=0.0, help="latest kill in seconds; 0: 60 %% of a run")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_intermixed_args()
    settings = [each.format(batch=12 // options.ranks, batches=options.batches) for each in SMALL]
    command = [*settings, f"data.root={options.data}", *options.overrides]
    if options.ranks > 1:
        command += ["trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true"]
        command += [f"trainer.devices={options.ranks}"]
    draw = random.Random(options.seed)
    whole, killed = options.output / "whole", options.output / "killed"
    began = time.monotonic()
    _run(whole, command, options.output)
    seconds = time.monotonic() - began
    print(f"unbroken: {seconds:.0f} s", flush=True)
    found = soak(killed, command, options, draw, options.within or max(15.0, 0.6 * seconds))
    found |= {"differences": differences(whole, killed), "ranks": options.ranks, "seed": options.seed}
    found |= {
        "unbroken_seconds": round(seconds),
        "command": ["python -m pose_inpaint.train", *settings, *options.overrides],
    }
    (options.output / "soak.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "command"}))
    sys.exit(bool(found["differences"]) or found["hung"] > 0)


def soak(
    folder: Path, command: list[str], options: argparse.Namespace, draw: random.Random, within: float
) -> dict[str, Any]:
    """Kill `options.kills` times, each at most `within` seconds after the start, then let the run end.

    A run that ends before all kills are done starts again, so that kills cover every part of it.
    """
    count = {"kills": 0, "whole": 0, "one_process": 0, "ended_before_the_kill": 0, "begun_again": 0, "hung": 0}
    progress: list[int] = []
    while count["kills"] < options.kills:
        process = _start(folder, [*command, "resume=auto"], options.output)
        # One kill in four happens while the run is starting, the others during training or scoring.
        ended = _wait(process, draw.uniform(min(1, within / 4), within), None if draw.random() < 0.25 else folder)
        if ended:
            count["ended_before_the_kill"] += 1
            if process.returncode != 0:
                _give_up(f"the run failed with status {process.returncode}", options.output)
            if count["kills"] < options.kills:  # a finished run can't be killed, so start a new one
                problems = differences(options.output / "whole", folder)
                if problems:
                    _give_up(f"the resumed run differs: {problems}", options.output)
                shutil.rmtree(folder)
                count["begun_again"] += 1
            continue
        kind = "one_process" if draw.random() < 0.3 else "whole"
        if not _kill(process, kind, draw):
            count["hung"] += 1
        count["kills"] += 1
        count[kind] += 1
        progress.append(_batches(folder))
        if count["kills"] % 10 == 0:
            print(count, "batches at the kills:", progress[-10:], flush=True)
    _run(folder, [*command, "resume=auto"], options.output)
    return {**count, "batches_at_kills": progress}


def _start(folder: Path, command: list[str], output: Path) -> subprocess.Popen[bytes]:
    output.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "pose_inpaint.train", *command, f"hydra.run.dir={folder}"]
    with (output / "log.txt").open("ab") as log:
        return subprocess.Popen(arguments, stdout=log, stderr=log, start_new_session=True)


def _run(folder: Path, command: list[str], output: Path) -> None:
    process = _start(folder, command, output)
    if process.wait() != 0:
        _give_up(f"the run failed with status {process.returncode}", output)


def _wait(process: subprocess.Popen[bytes], seconds: float, folder: Path | None) -> bool:
    """Wait some seconds, counted from the first write to `folder` if given; return whether the run ended."""
    starts = _starts(folder) if folder else 0
    while folder and _starts(folder) == starts and process.poll() is None:
        time.sleep(PAUSE)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(PAUSE)
    return process.poll() is not None


def _starts(folder: Path) -> int:
    status = folder / "status.json"
    return len(json.loads(status.read_text())["starts"]) if status.is_file() else 0


def _family(pid: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, its in parents if its == parent]
    return found


def _kill(process: subprocess.Popen[bytes], kind: str, draw: random.Random) -> bool:
    """Kill a whole run, or one process, after which the others must end by themselves; return whether they did."""
    family = _family(process.pid)
    for pid in family if kind == "whole" else [draw.choice(family)]:
        with suppress(ProcessLookupError):  # it may have just ended
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + STUCK
    while time.monotonic() < deadline:
        process.poll()
        if not any(_alive(pid) for pid in family):
            return True
        time.sleep(PAUSE)
    for pid in family:
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
    return False


def _give_up(what: str, output: Path) -> NoReturn:
    print(f"{what}; see {output / 'log.txt'}", file=sys.stderr)
    raise SystemExit(1)


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _batches(folder: Path) -> int:
    last = folder / "checkpoints" / "last.ckpt"
    return int(torch.load(last, weights_only=True)["state_dict"]["batches_seen"]) if last.is_file() else 0


def differences(whole: Path, killed: Path) -> list[str]:
    """List the differences between two runs: files, weights, optimizer states, history, scores of every image."""
    names = [{str(path.relative_to(run)) for path in run.rglob("*")} for run in (whole, killed)]
    found = [f"only in one: {name}" for name in sorted(names[0] ^ names[1])]
    for name in ("last", *(path.stem for path in (whole / "checkpoints").glob("best-*.ckpt"))):
        first, second = (torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True) for run in (whole, killed))
        for part in ("state_dict", "optimizer_states"):
            found += [f"{name}.ckpt: {key}" for key in _unequal(first[part], second[part], part)]
    for name in ("metrics.csv", "scores.csv"):
        with (whole / name).open() as one, (killed / name).open() as other:
            if list(csv.reader(one)) != list(csv.reader(other)):
                found.append(name)
    return found


def _unequal(first: Any, second: Any, key: str) -> list[str]:
    if isinstance(first, dict):
        return [found for name in first for found in _unequal(first[name], second[name], f"{key}.{name}")]
    if isinstance(first, list):
        pairs = zip(first, second, strict=True)
        return [found for place, (a, b) in enumerate(pairs) for found in _unequal(a, b, f"{key}.{place}")]
    same = torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
    return [] if same else [key]


if __name__ == "__main__":
    main()
