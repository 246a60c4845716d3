"""What a command imports before it has something to do: counted, not timed."""

import json
import subprocess
import sys

from conftest import PATIENCE, TINY

COMMANDS = (
    "train",
    "train_pose",
    "evaluate",
    "predict",
    "report",
    "benchmark",
    "verify",
    "index",
    "release",
    "weights",
)
HEAVY = ("torch", "torchvision", "torchmetrics", "lightning", "numpy", "PIL", "wandb")
PROGRAM = """
import runpy, sys
from hydra._internal.config_loader_impl import ConfigLoaderImpl
own, groups = ConfigLoaderImpl.get_group_options, {}
def options(self, *names, **more):  # most of what --help does, and the same for every command
    key = names, tuple(more.items())
    if key not in groups:
        groups[key] = own(self, *names, **more)
    return groups[key]
ConfigLoaderImpl.get_group_options = options
sys.argv = ["pose_inpaint", *sys.argv[2:]]
for command in COMMANDS:
    try:
        runpy.run_module(f"pose_inpaint.{command}", run_name="__main__", alter_sys=False)
    except SystemExit as end:
        print("status", end.code)
    print("imported by", command, [name for name in HEAVY if name in sys.modules])
"""


def imported(commands, *arguments):
    """What commands print, run one after the other in one process, each followed by the heavy imports so far."""
    program = PROGRAM.replace("COMMANDS", repr(commands)).replace("HEAVY", repr(HEAVY))
    ended = subprocess.run(
        [sys.executable, "-c", program, "-", *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_help_imports_neither_torch_nor_lightning():
    out = imported(COMMANDS, "--help")
    for command in COMMANDS:
        assert f"imported by {command} []" in out
    assert out.count("Powered by Hydra") == len(COMMANDS)


def test_showing_the_configuration_imports_neither():
    out = imported(["train"], "+experiment=slides2018", "--cfg", "job")
    assert "imported by train []" in out
    assert "alpha: 1.0e-06" in out


def test_a_mistyped_key_is_answered_without_them():
    out = imported(["train"], "modle=unet2018")
    assert "imported by train []" in out
    assert "status 2" in out


def test_a_command_line_trains_and_scores(tiny_data, tmp_path):
    """The true one; elsewhere in these tests processes are forked (tests/forkserver.py)."""
    command = [sys.executable, "-m", "pose_inpaint.train", "+experiment=authors2018", *TINY]
    command += [f"data.root={tiny_data}", f"hydra.run.dir={tmp_path}/run"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "On the 4 images of the test split" in ended.stdout
    assert json.loads((tmp_path / "run/scores.json").read_text())["n"] == 4
