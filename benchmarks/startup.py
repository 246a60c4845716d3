"""CPU seconds that a stage of a benchmark spends on its start: in a new process, and forked from a warm one.

    python benchmarks/startup.py

A stage is run twice within its process. The second run is the work; what the first takes on top of it is the start.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from measure import machine, ratios, spread

from pose_inpaint.multirun.benchmark.stages import IMPORTED
from pose_inpaint.runtime.fork_server import warm_starts
from pose_inpaint.runtime.subprocesses import Start, last_lines, run_child, start_cold

RUNS = 3
TINY = [
    "data=mannequins", "data.source.counts={train: 4, val: 2, test: 2}", "data.source.size=32", "data.size=32",
    "data.workers=0",
]  # fmt: skip
STAGES = {
    "evaluate": ["model=mean", "device=cpu", *TINY],
    "train": [
        "+experiment=slides2018", "trainer=cpu", "data.batch_size=2", "model.width=2", "discriminator.width=2",
        "loss.generator.perceptual.weight=0", "schedule.phases.0.epochs=1", "schedule.phases.1.epochs=1",
        "batchnorm.batches=1", "samples.count=1", "test.enabled=false", "trainer.enable_progress_bar=false", *TINY,
    ],
}  # fmt: skip
TWICE = """
import runpy, sys, time
stage, folder, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
ends = [0.0]
for run in ("first", "second"):
    sys.argv = [stage, *arguments, f"hydra.run.dir={folder}/{run}"]
    runpy.run_module(f"pose_inpaint.{stage}", run_name="__main__")
    ends.append(time.process_time())
print("start", 2 * ends[1] - ends[2], "work", ends[2] - ends[1])
"""


def main() -> None:
    """Measure every stage, both ways in turn."""
    print(f"{machine()}\n\n| stage | new process, CPU s | forked, CPU s | ratio | its work, CPU s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, warm_starts(IMPORTED) as warm:
        folder = Path(name)
        os.environ["POSE_INPAINT_CACHE"] = str(folder / "cache")
        script = folder / "twice.py"
        script.write_text(TWICE, encoding="utf-8")
        for stage, arguments in STAGES.items():
            starts = (start_cold, warm)
            runs = [[seconds(script, stage, arguments, start) for start in starts] for _ in range(RUNS + 1)][1:]
            new, forked = ([run[way][0] for run in runs] for way in range(2))
            work = statistics.median(run[1][1] for run in runs)
            cells = (stage, spread(new, unit=1), spread(forked, unit=1), ratios(new, forked), f"{work:.1f}")
            print(f"| {' | '.join(cells)} |", flush=True)


def seconds(script: Path, stage: str, arguments: list[str], start: Start) -> tuple[float, float]:
    """CPU seconds of a stage's start and of its work."""
    with tempfile.TemporaryDirectory(dir=script.parent) as folder:
        log = Path(folder) / "log.txt"
        status = run_child([sys.executable, str(script), stage, folder, *arguments], log, start=start)
        lines = last_lines(log, 0)
        if status:
            raise SystemExit("\n".join(lines))
        _, started, _, worked = lines[-1].split()
    return float(started), float(worked)


if __name__ == "__main__":
    main()
