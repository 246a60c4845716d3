"""Fixtures that any test may use."""

import copy
import importlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported. Workers that each use every core wait for one another more than they compute.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if sys.dont_write_bytecode:
    # Every process that the tests start would compile PyTorch, which takes longer than importing it. So bytecode is
    # written after all, but to a folder of the tests' own, which git ignores. Their processes inherit it.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[1] / ".pytest_cache/bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# No PyTorch: the process that only hands out tests to the workers has no use for it.
import numpy as np
import pytest
from forkserver import ForkServer, TrueCommands
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.defaults_list import Overrides
from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from PIL import Image

from pose_inpaint.config.command import CONF

for name, default in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    # A suite that was started with & or nohup has them ignored, and so would all that it starts.
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), default)

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"
PATIENCE = 600.0
"""Seconds after which what should have happened will not: an idle machine needs a few, a busy one many times more."""


LONGEST = ("tests/integration/test_soak.py", "tests/integration/test_benchmark.py")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


def pytest_collection_modifyitems(items):
    """Begin with the longest, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory, monkeypatch):
    """Nothing a test does reaches the user's cache or the repository; caches last for the whole session."""
    monkeypatch.setenv("POSE_INPAINT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


REPLACED = (
    (OverridesParser, "parse_rule"), (ConfigRepository, "load_config"), (CachingConfigRepository, "__init__"),
    (Hydra, "get_mode"), (config_loader_impl, "create_defaults_list"),
    (ConfigLoaderImpl, "_compose_config_from_defaults_list"),
)  # fmt: skip
HYDRAS = tuple((place, name, getattr(place, name)) for place, name in REPLACED)
"""What `_composed_once` replaces, and as Hydra has it."""


@pytest.fixture(scope="session", autouse=True)
def _composed_once():
    """Hydra composes each configuration twice, and from its files each time; here each choice of files once is enough.

    The first time is for `hydra.mode`, which no file of conf/ sets; tests/contracts/test_configuration.py also compares
    what is composed here with what Hydra composes.
    """
    parse, load, _, find_mode, list_defaults, compose_defaults = (whole for _, _, whole in HYDRAS)
    results = {}

    def once(key, function, *arguments):
        """What a function returns, a copy each time."""
        if key not in results:
            results[key] = pickle.dumps(function(*arguments))
        return pickle.loads(results[key])

    def packages(repo):
        """Where files are read from; None if a test has written some of them."""
        found = [(source.scheme(), source.path) for source in repo.get_sources()]
        return None if any(scheme == "file" and path != str(CONF) for scheme, path in found) else tuple(found)

    def parse_rule(self, text, rule_name):
        return once(("parse", text, rule_name), parse, self, text, rule_name)

    def load_config(self, config_path):
        key = packages(self)
        return once((key, config_path), load, self, config_path) if key else load(self, config_path)

    def copy_repository(self, delegate):
        """Without its sources, such as every configuration that a plugin has registered: only their list may change."""
        self.delegate, self.cache = copy.copy(delegate), {}

    def get_mode(self, config_name, overrides):
        named = [override.partition("=")[2] for override in overrides if override.startswith("hydra.mode")]
        if set(named) - set(RunMode.__members__):
            return find_mode(self, config_name, overrides)
        return RunMode[named[-1]] if named else None

    listed = {}

    def create_defaults_list(repo, config_name, overrides_list, **more):
        overrides = Overrides(repo, overrides_list)
        values = set(map(id, overrides.config_overrides))
        choices = (each.input_line for each in overrides_list if id(each) not in values)
        key = (packages(repo), config_name, *more.values(), *choices)
        if key[0] is None or key not in listed:
            listed[key] = list_defaults(repo, config_name, overrides_list, **more)
            return listed[key]
        overrides.known_choices = listed[key].overrides.known_choices
        return replace(listed[key], config_overrides=overrides.config_overrides, overrides=overrides)

    def compose_config(self, defaults, repo):
        key = packages(repo)
        arguments = (compose_defaults, self, defaults, repo)
        return once((key, *map(astuple, defaults)), *arguments) if key else compose_defaults(self, defaults, repo)

    ours = (parse_rule, load_config, copy_repository, get_mode, create_defaults_list, compose_config)
    with pytest.MonkeyPatch.context() as patch:
        for (place, name), own in zip(REPLACED, ours, strict=True):
            patch.setattr(place, name, own)
        yield


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs a command of the package in this process, as its command line would."""

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [f"pose_inpaint.{module}", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            importlib.import_module(f"pose_inpaint.{module}").main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def fork_server():
    """Starts commands as processes of their own that need not import PyTorch again."""
    server = ForkServer() if sys.platform == "linux" else TrueCommands()
    yield server
    server.close()


@contextmanager
def held_by_another(folder):
    """Another process that has a run's folder for itself meanwhile; gives its number."""
    code = (
        "import time, pathlib\nfrom pose_inpaint.tracking.lock import locked\n"
        f"with locked(pathlib.Path({str(folder)!r})):\n    print('locked', flush=True)\n    time.sleep({PATIENCE})"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "locked\n"
        yield other.pid
    finally:
        other.kill()
        other.wait()


@cache
def _split_files(count, height, width, seed):
    """Smooth random images and blocks in the challenge's layout, as bytes."""
    random = np.random.default_rng(seed)
    files, blocks = {}, {}
    for number in range(count):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        image = io.BytesIO()
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(image, "png")
        files[f"Y/{number:03}.png"] = image.getvalue()
        row, column = (int(n) for n in random.integers(0, 20, 2))
        blocks[f"{number:03}.png"] = [[row, column, 16], [0, 0, 5 + number % 3]]
    return {**files, "maskdata.json": json.dumps(blocks).encode()}


def write_split(folder, count, height=48, width=40, seed=0):
    """Smooth random images and blocks in the challenge's layout."""
    (folder / "Y").mkdir(parents=True)
    for name, content in _split_files(count, height, width, seed).items():
        (folder / name).write_bytes(content)


def write_tiny(folder):
    """A data set in the challenge's layout: 12, 4 and 4 images of 48 rows and 40 columns."""
    for place, (split, count) in enumerate({"train": 12, "val": 4, "test": 4}.items()):
        write_split(folder / split, count, seed=place)
    return folder


@pytest.fixture
def tiny_data(tmp_path):
    """The data set of `write_tiny`, which a test may change."""
    return write_tiny(tmp_path / "tiny")


@pytest.fixture
def tiny_index(command, tiny_data, tmp_path):
    """A scene index over the training split of `tiny_data`."""
    outcome = command("index", "data=chalearn", f"data.root={tiny_data}", f"output={tmp_path}/tiny.scenes")
    assert outcome.status == 0, outcome.err
    return tmp_path / "tiny.scenes"


@pytest.fixture
def tiny_onnx(tmp_path):
    """An ONNX file with the names of an exported network, whose output is what is known."""
    import onnx
    from onnx import TensorProto, helper

    tensor = {name: ["b", channels, "h", "w"] for name, channels in {"known": 3, "mask": 1, "raw": 3}.items()}
    known, mask, raw = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in tensor.items())
    graph = helper.make_graph([helper.make_node("Identity", ["known"], ["raw"])], "tiny", [known, mask], [raw])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"stride": "1", "size": "32"})
    onnx.save(model, tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


TINY = (
    "trainer=cpu", "data=chalearn", "data.size=32", "data.batch_size=4", "data.workers=0", "model.width=2",
    "loss.generator.perceptual.weight=0", "trainer.enable_progress_bar=false", "trainer.log_every_n_steps=1",
    "batchnorm.batches=2", "schedule.phases.0.epochs=1", "schedule.phases.1.epochs=1", "samples.count=2",
)  # fmt: skip
"""The 2018 method at its smallest: three batches in each of its two phases, with `tiny_data`."""


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The folder of a finished run of authors2018 at its smallest."""
    root = tmp_path_factory.mktemp("tiny_run")
    write_tiny(root / "data")
    arguments = ["+experiment=authors2018", f"data.root={root}/data", f"hydra.run.dir={root}/run", *TINY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSE_INPAINT_CACHE", str(root / "cache"))
        patch.setattr(sys, "argv", ["train", *arguments])
        importlib.import_module("pose_inpaint.train").main()
    return root / "run"


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_run):
    """A checkpoint of width 2."""
    return tiny_run / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="session")
def _unbroken_runs(tmp_path_factory):
    """A folder with the data of `tiny_data`, and the runs in it by their settings."""
    root = tmp_path_factory.mktemp("unbroken")
    write_tiny(root / "data")
    return root, {}


@pytest.fixture
def unbroken(command, _unbroken_runs):
    """Trains authors2018 at its smallest with more settings, once for the same ones; returns its data and folder."""
    root, runs = _unbroken_runs

    def train(*more):
        if more not in runs:
            folder = root / f"run{len(runs)}"
            tiny = ["+experiment=authors2018", f"data.root={root}/data", f"hydra.run.dir={folder}", *TINY]
            outcome = command("train", *tiny, *more)
            assert outcome.status == 0, outcome.err
            runs[more] = folder
        return root / "data", runs[more]

    return train


def add_joints(root, names=None):
    """Lists a joint of each name for every image of a data set: the same for all, so that it can be learnt."""
    if names is None:
        from pose_inpaint.data.joints import JOINTS as names  # noqa: N811
    for split in ("train", "val", "test"):
        joints = [[4 + 2.0 * number, 6 + 2.5 * number, 1] for number in range(len(names))]
        images = sorted(path.name for path in (root / split / "Y").iterdir())
        content = {"joint_names": list(names), "joints": dict.fromkeys(images, joints)}
        (root / split / "joints.json").write_text(json.dumps(content))


TINY_POSE = (
    "data=chalearn", "data.size=32", "data.batch_size=6", "data.workers=0", "network.width=8", "network.stacks=1",
    "network.depth=2", "epochs=2", "trainer=cpu", "trainer.enable_progress_bar=false", "trainer.log_every_n_steps=1",
)  # fmt: skip
"""A pose network at its smallest: seconds of training."""


@pytest.fixture(scope="session")
def tiny_pose(tmp_path_factory):
    """The checkpoint of a pose network of width 8."""
    root = tmp_path_factory.mktemp("tiny_pose")
    write_tiny(root / "data")
    add_joints(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSE_INPAINT_CACHE", str(root / "cache"))
        patch.setattr(sys, "argv", ["train_pose", f"data.root={root}/data", f"hydra.run.dir={root}/run", *TINY_POSE])
        importlib.import_module("pose_inpaint.train_pose").main()
    return root / "run" / "checkpoints" / "best.ckpt"


@pytest.fixture
def shared():
    """The folder of real photos, where it lies beside the repository."""
    if not (SHARED / "people").is_dir():
        pytest.skip("the real photos are not beside the repository (../shared/people)")
    return SHARED


@pytest.fixture(autouse=True)
def _few_threads():
    """Tiny networks run slower on many threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(before, 2))
    yield
    torch.set_num_threads(before)
