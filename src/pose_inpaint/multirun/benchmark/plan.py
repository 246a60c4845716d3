"""Plan of a benchmark: every command, composed and checked before the first one runs."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pose_inpaint.config.command import one_line
from pose_inpaint.config.overrides import as_value, changes, without_replaced
from pose_inpaint.config.schema import BenchmarkSettings, EvaluateSettings, MethodSettings, TrainSettings
from pose_inpaint.config.settings import plain_config, read_settings
from pose_inpaint.errors import InputError
from pose_inpaint.training.checkpoint import read_checkpoint

REPORT = "report"  # folder of the report, so a method can't have this name
SCORED_ON = ("data", "mask", "metric", "pose")
TRAINED_ON = ("data", "mask")
OF_THE_FOLDER = ("run_dir", "resume", "checkpoint")  # paths, which don't identify a method

Schema = TypeVar("Schema")


@dataclass(frozen=True)
class Stage:
    """One command of a method."""

    arguments: list[str]  # command-line arguments, without folders
    settings: dict[str, Any]  # resolved settings, without folders


@dataclass(frozen=True)
class Plan:
    """Planned commands of one method."""

    name: str  # name of the method and its folder
    evaluate: Stage
    scoring: EvaluateSettings
    train: Stage | None = None  # None for a method that isn't trained
    training: TrainSettings | None = None
    checkpoint_sha256: str | None = None  # digest of the checkpoint, for a method given as one

    @property
    def key(self) -> str:
        """Configuration key, for messages."""
        return f"methods.{self.name}"

    @property
    def stages(self) -> list[str]:
        """Names of the stages, in order."""
        return [*(["train"] if self.train else []), "evaluate"]

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the scores."""
        settings = {"evaluate": self.evaluate.settings}
        settings |= {"train": self.train.settings} if self.train else {}
        return settings | ({"checkpoint": {"sha256": self.checkpoint_sha256}} if self.checkpoint_sha256 else {})


def make_plans(settings: BenchmarkSettings, config: DictConfig) -> list[Plan]:
    """Compose the commands of every method that isn't null.

    Raises:
        InputError: A method can't be composed, or there is none.
    """
    methods = {name: method for name, method in settings.methods.items() if method is not None}
    if not methods:
        raise InputError("methods: none to score; give +experiment=slides_methods, or +methods.NAME={model: telea}")
    methods = dict(_by_seeds(methods, settings.seeds))
    unknown = [name for name in settings.redo if name not in methods]
    if unknown:
        raise InputError(f"redo=[{','.join(unknown)}]: no such method; there are {', '.join(methods)}")
    seed = f"seed={settings.seed}"
    size = f"data.size={settings.data.size}"  # the same for every method, whatever a checkpoint was trained at
    scoring = [*shared(config, SCORED_ON), size, seed, f"device={settings.device}", *settings.evaluate]
    # Trained methods are scored by `evaluate` like the others, not at the end of their training.
    learning = [*shared(config, TRAINED_ON), seed, "test.enabled=false", *settings.train]
    return [_make_plan(name, method, scoring, learning) for name, method in methods.items()]


def _by_seeds(methods: Mapping[str, MethodSettings], seeds: list[int]) -> Iterator[tuple[str, MethodSettings]]:
    """Repeat each method that is trained once per seed; scoring keeps the benchmark's seed."""
    for name, method in methods.items():
        if method.experiment is None or not seeds:
            yield name, method
        else:
            for seed in seeds:
                yield f"{name}_seed{seed}", replace(method, overrides=[*method.overrides, f"seed={seed}"])


def _make_plan(name: str, method: MethodSettings, scoring: list[str], learning: list[str]) -> Plan:
    """Compose a method's commands from the shared overrides and its own."""
    _check_method(name, method)
    scoring = [*scoring, f"name={as_value(name)}"]
    with named(f"methods.{name}"):
        if method.experiment is None:
            chosen = f"model={method.model}" if method.model else f"checkpoint={as_value(method.checkpoint)}"
            evaluate = _make_stage("evaluate", [chosen, *scoring, *method.overrides], EvaluateSettings)
            sha256 = None if method.checkpoint is None else read_checkpoint(method.checkpoint).sha256()
            return Plan(name, *evaluate, checkpoint_sha256=sha256)
        learning = [f"+experiment={method.experiment}", *learning, *method.overrides]
        evaluate = _make_stage("evaluate", scoring, EvaluateSettings)
        return Plan(name, *evaluate, *_make_stage("train", learning, TrainSettings))


def _check_method(name: str, method: MethodSettings) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][\w.\-]*", name) or name == REPORT:
        raise InputError(f"methods.{name}: it names a folder; use only letters, digits, _, - and ., and not {REPORT!r}")
    if sum(given is not None for given in (method.model, method.experiment, method.checkpoint)) != 1:
        raise InputError(
            f"methods.{name}: give one of model, experiment and checkpoint, or null to leave the method out"
        )


def shared(config: DictConfig, groups: Iterable[str]) -> list[str]:
    """Overrides that pass the benchmark's config groups to another command where they differ from the defaults."""
    running = HydraConfig.get()
    path = [f"hydra.searchpath={as_value(list(running.searchpath))}"] if running.searchpath else []
    defaults = compose("benchmark", path, return_hydra_config=True).hydra.runtime.choices
    choices = running.runtime.choices
    chosen = [f"{group}={choices[group]}" for group in groups if choices.get(group) != defaults.get(group)]
    # Comparing with the chosen groups' own defaults leaves only the values that were overridden.
    base = compose("benchmark", [*path, *chosen])
    differing = []
    for group in groups:
        before, now = (OmegaConf.to_container(whole[group], resolve=False) for whole in (base, config))
        if isinstance(before, dict) and isinstance(now, dict):
            differing += changes(group, before, now)  # type: ignore[arg-type]
    return [*path, *chosen, *differing]


def _make_stage(command: str, overrides: Sequence[str], schema: type[Schema]) -> tuple[Stage, Schema]:
    arguments = without_replaced(overrides)
    config = compose(command, arguments)
    with open_dict(config):
        config.run_dir = "."
    settings = read_settings(config, schema)
    plain = {key: value for key, value in plain_config(config).items() if key not in OF_THE_FOLDER}
    return Stage(arguments, plain), settings


@contextmanager
def named(key: str) -> Iterator[None]:
    """Prefix errors with a key."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(f"{key}: {one_line(error)}") from error
    except InputError as error:
        raise InputError(f"{key}: {error}") from error
