"""Plan of a sweep, checked before anything is written: Hydra expands values into jobs, this counts and checks them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from pose_inpaint.config.command import CONF
from pose_inpaint.config.overrides import as_value, key_of
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.metrics.score_names import higher_is_better
from pose_inpaint.multirun.sweep.job import check_launcher
from pose_inpaint.multirun.sweep.record import SweepRecord, continued_overrides, read_record

RESUME = "sweep.resume"
ON_ERROR = ("continue", "stop")


@dataclass(frozen=True)
class Plan:
    """A checked sweep."""

    folder: Path  # absolute path of the sweep's folder
    options: list[str]  # command-line options other than overrides
    record: SweepRecord
    continued: bool  # whether the sweep is being resumed
    config: DictConfig  # configuration with the first value of each swept key, including Hydra's own
    parsed: list[Override]  # parsed overrides, including those that `hydra.sweeper.params` adds

    @property
    def uses_optuna(self) -> bool:
        """Whether Optuna chooses the values."""
        return "optuna" in str(self.config.hydra.sweeper.get("_target_"))


def plan_sweep(arguments: Sequence[str], check: Callable[[DictConfig], object]) -> Plan:
    """Read and check the command line of a sweep; `check` raises `InputError` for invalid settings of a job."""
    given, options = _read_command_line(arguments)
    resumed = [override.partition("=")[2] for override in given if key_of(override) == RESUME]
    given = [override for override in given if key_of(override) not in (RESUME, "hydra.mode")]
    if "" in resumed:
        raise InputError(f"{RESUME}: give the folder of the sweep to resume, {RESUME}=DIR")
    folder = Path(resumed[-1].strip("'\"")).resolve() if resumed and resumed[-1] != "null" else None
    overrides = given
    if folder is not None:
        given = [override for override in given if key_of(override) != "hydra.sweep.dir"]
        overrides = continued_overrides(folder, read_record(folder), given)
        overrides.append(f"hydra.sweep.dir={as_value(str(folder))}")
    parsed = OverridesParser.create().parse_overrides(overrides)
    # The chosen sweeper may sweep more keys, so the configuration is composed twice.
    config = _compose(_first_values(parsed))
    added = _parameters(config, parsed)
    if added:
        config = _compose([*_first_values(added), *_first_values(parsed)])
    parsed = [*added, *parsed]
    for each in [config, *_variations(parsed)]:
        check_launcher(each.hydra.launcher, each.trainer)
    record = _describe(config, parsed, overrides)
    output = folder or Path(config.hydra.sweep.dir).resolve()
    _check_first_job(config, output, record.swept, check)
    return Plan(output, options, record, folder is not None, config, parsed)


def _read_command_line(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the command line into overrides and Hydra options; refuse those that change the configuration files."""
    parsed = get_args_parser().parse_intermixed_args(list(arguments))
    for option in ("config_dir", "config_path", "config_name"):
        if getattr(parsed, option, None):
            name = option.replace("_", "-")
            raise InputError(
                f"--{name}={getattr(parsed, option)}: not supported in a sweep; add a configuration folder with "
                "'hydra.searchpath=[file://DIR]'"
            )
    given = list(parsed.overrides)
    return given, [argument for argument in arguments if argument not in given]


def _compose(overrides: list[str]) -> DictConfig:
    """Compose the configuration of one job, including Hydra's own."""
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("train", overrides, return_hydra_config=True)
    except MissingConfigException as error:
        if not str(error.missing_cfg_file).startswith("hydra/"):
            raise
        kind = str(error.missing_cfg_file)
        extra = "ray" if kind.endswith("ray") else "sweep"
        raise InputError(
            f"{kind}: no such plugin, or it isn't installed; pip install 'pose-inpaint[{extra}]'"
        ) from error
    except ConfigCompositionException as error:
        cause = first_line(error.__cause__ or error)
        raise InputError(f"{first_line(error)} ({cause})") from error


def _first_values(parsed: Iterable[Override]) -> list[str]:
    """Overrides with the first value of each swept key (the lower end of an interval)."""
    overrides = []
    for override in parsed:
        key, value = override.get_key_element(), override.value()
        if isinstance(value, IntervalSweep):
            overrides.append(f"{key}={value.start}")
        elif override.is_sweep_override():
            overrides.append(f"{key}={next(iter(override.sweep_string_iterator()))}")
        else:
            overrides.append(str(override.input_line))
    return overrides


def _parameters(config: DictConfig, parsed: Iterable[Override]) -> list[Override]:
    """Entries of `hydra.sweeper.params` that the command line doesn't override."""
    given = {key_of(override.get_key_element()) for override in parsed}
    params = config.hydra.sweeper.get("params") or {}
    lines = [f"{key}={value}" for key, value in params.items() if str(key) not in given]
    return list(OverridesParser.create().parse_overrides(lines)) if lines else []


def _variations(parsed: Sequence[Override]) -> Iterator[DictConfig]:
    """Configurations with each further value of a swept group or trainer key, one key at a time.

    They show missing files, and devices that the launcher can't provide, before the first job.
    """
    for index, override in enumerate(parsed):
        key = override.get_key_element()
        group = (CONF / key_of(key).partition("@")[0]).is_dir()
        if override.is_discrete_sweep() and (group or key_of(key).startswith("trainer.")):
            others = _first_values(parsed[:index]), _first_values(parsed[index + 1 :])
            for value in list(override.sweep_string_iterator())[1:]:
                yield _compose([*others[0], f"{key}={value}", *others[1]])


def _check_first_job(
    config: DictConfig, folder: Path, swept: Sequence[str], check: Callable[[DictConfig], object]
) -> None:
    """Check the first job's settings, except those that only the job can check.

    These are invalid values of a swept key, which fail only the jobs that have them, and interpolations that only the
    job's process or machine can resolve.
    """
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    job.run_dir, job.sweep.resume = str(folder), None
    try:
        check(job)
    except InputError as error:
        unresolved = isinstance(error.__cause__, InterpolationResolutionError)
        if not unresolved and not str(error).startswith(tuple(f"{key}{mark}" for key in swept for mark in "=.: ")):
            raise


def _describe(config: DictConfig, parsed: Sequence[Override], overrides: list[str]) -> SweepRecord:
    swept = [override for override in parsed if override.is_sweep_override()]
    keys = [key_of(override.get_key_element()) for override in swept]
    if config.sweep.on_error not in ON_ERROR:
        raise InputError(f"sweep.on_error={config.sweep.on_error}: not one of {', '.join(ON_ERROR)}")
    follows = not any(key_of(override) == "optimized_metric" for override in overrides)
    for key in ["optimized_metric", *(["checkpoint.monitor"] if follows else [])]:
        if key in keys:
            raise InputError(f"{key}: is swept, but jobs are compared by one metric; give optimized_metric=NAME")
    metric, validation = str(config.optimized_metric), list(config.validation)
    if metric not in validation and "validation" not in keys:
        raise InputError(f"optimized_metric={metric}: not one of validation's {validation}")
    direction = "maximize" if higher_is_better(metric) else "minimize"
    kept = [override for override in overrides if key_of(override) != "hydra.sweep.dir"]
    return SweepRecord(kept, keys, metric, direction, _count_jobs(config, swept))


def _count_jobs(config: DictConfig, swept: Iterable[Override]) -> int:
    trials: Any = config.hydra.sweeper.get("n_trials")
    if trials is not None:
        return int(trials)
    return prod(sum(1 for _ in override.sweep_string_iterator()) for override in swept if _discrete(override))


def _discrete(override: Override) -> bool:
    if not override.is_discrete_sweep():
        raise InputError(f"{override.input_line}: an interval needs Optuna; give sweep=optuna, or list the values")
    values = list(override.sweep_string_iterator())
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{override.input_line}: {value} is listed twice and would be the same job; remove one")
    return True


def hydra_arguments(plan: Plan, *more: str) -> list[str]:
    """Command line for Hydra."""
    options = [option for option in plan.options if option not in ("-m", "--multirun")]
    return ["-m", *options, *plan.record.overrides, f"hydra.sweep.dir={as_value(str(plan.folder))}", *more]
