"""What a sweep is going to do, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from pose_inpaint.config.command import CONF
from pose_inpaint.config.overrides import as_value, key_of
from pose_inpaint.errors import InputError
from pose_inpaint.metrics.score_names import higher_is_better
from pose_inpaint.multirun.sweep.job import check_launcher
from pose_inpaint.multirun.sweep.record import SweepRecord, continued_overrides, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

RESUME = "sweep.resume"
ON_ERROR = ("continue", "stop")


@dataclass(frozen=True)
class Plan:
    """A sweep that may begin.

    Attributes:
        folder: of the sweep, absolute.
        options: of the command line, beside overrides.
        record: what was asked for.
        continued: whether it goes on.
        config: composed of the first value of each swept key, with Hydra's own part.
        parsed: the overrides, with those that `hydra.sweeper.params` adds.
    """

    folder: Path
    options: list[str]
    record: SweepRecord
    continued: bool
    config: DictConfig
    parsed: list[Override]

    @property
    def uses_optuna(self) -> bool:
        """Whether Optuna chooses the values."""
        return "optuna" in str(self.config.hydra.sweeper.get("_target_"))


def plan_sweep(arguments: Sequence[str], check: Callable[[DictConfig], object]) -> Plan:
    """Reads and checks what a sweep was asked for.

    Args:
        arguments: of the command line.
        check: raises `InputError` for a job's configuration whose settings can't be used.

    Raises:
        InputError: it can't be done as asked.
    """
    given, options = _read_command_line(arguments)
    wanted = [override.partition("=")[2] for override in given if key_of(override) == RESUME]
    given = [override for override in given if key_of(override) not in (RESUME, "hydra.mode")]
    if "" in wanted:
        raise InputError(f"{RESUME}: give the folder of the sweep to go on with, {RESUME}=DIR")
    folder = Path(wanted[-1].strip("'\"")).resolve() if wanted and wanted[-1] != "null" else None
    overrides = given
    if folder is not None:
        given = [override for override in given if key_of(override) != "hydra.sweep.dir"]
        overrides = continued_overrides(folder, read_record(folder), given)
        overrides.append(f"hydra.sweep.dir={as_value(str(folder))}")
    parsed = OverridesParser.create().parse_overrides(overrides)
    config = _compose(_first_values(parsed))
    added = _parameters(config, parsed)
    if added:
        config = _compose([*_first_values(added), *_first_values(parsed)])
    parsed = [*added, *parsed]
    for each in [config, *_variations(parsed)]:
        check_launcher(each.hydra.launcher, each.trainer)
    record = _describe(config, parsed, overrides)
    place = folder or Path(config.hydra.sweep.dir).resolve()
    _check_first_job(config, place, record.swept, check)
    return Plan(place, options, record, folder is not None, config, parsed)


def _read_command_line(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides, and options of Hydra's.

    Raises:
        InputError: an option would change what the jobs are composed from.
    """
    found = get_args_parser().parse_intermixed_args(list(arguments))
    for option in ("config_dir", "config_path", "config_name"):
        if getattr(found, option, None):
            name = option.replace("_", "-")
            raise InputError(
                f"--{name}={getattr(found, option)}: a sweep has our configuration alone; give "
                "'hydra.searchpath=[file://DIR]' to add a folder to it"
            )
    given = list(found.overrides)
    return given, [argument for argument in arguments if argument not in given]


def _compose(overrides: list[str]) -> DictConfig:
    """The configuration of one job, with Hydra's own part.

    Raises:
        InputError: a key or a choice is not there.
    """
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("train", overrides, return_hydra_config=True)
    except MissingConfigException as error:
        if not str(error.missing_cfg_file).startswith("hydra/"):
            raise
        kind = str(error.missing_cfg_file)
        extra = "ray" if kind.endswith("ray") else "sweep"
        raise InputError(
            f"{kind}: not installed here, or no such plugin: pip install 'pose-inpaint[{extra}]'"
        ) from error
    except ConfigCompositionException as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise InputError(f"{str(error).splitlines()[0]} ({cause})") from error


def _first_values(parsed: Iterable[Override]) -> list[str]:
    """The overrides of a sweep's first job, whatever chooses its values."""
    found = []
    for override in parsed:
        key, value = override.get_key_element(), override.value()
        if isinstance(value, IntervalSweep):
            found.append(f"{key}={value.start}")
        elif override.is_sweep_override():
            found.append(f"{key}={next(iter(override.sweep_string_iterator()))}")
        else:
            found.append(str(override.input_line))
    return found


def _parameters(config: DictConfig, parsed: Iterable[Override]) -> list[Override]:
    """The entries of `hydra.sweeper.params` that the command line doesn't replace."""
    given = {key_of(override.get_key_element()) for override in parsed}
    params = config.hydra.sweeper.get("params") or {}
    lines = [f"{key}={value}" for key, value in params.items() if str(key) not in given]
    return list(OverridesParser.create().parse_overrides(lines)) if lines else []


def _variations(parsed: Sequence[Override]) -> Iterator[DictConfig]:
    """The first job's configuration with each further value of a swept group, and of the trainer's swept keys.

    So a file that isn't there is named in time, and devices that the launcher can't give.
    """
    for place, override in enumerate(parsed):
        key = override.get_key_element()
        group = (CONF / key_of(key).partition("@")[0]).is_dir()
        if override.is_discrete_sweep() and (group or key_of(key).startswith("trainer.")):
            others = _first_values(parsed[:place]), _first_values(parsed[place + 1 :])
            for value in list(override.sweep_string_iterator())[1:]:
                yield _compose([*others[0], f"{key}={value}", *others[1]])


def _check_first_job(
    config: DictConfig, folder: Path, swept: Sequence[str], check: Callable[[DictConfig], object]
) -> None:
    """Looks at the first job's settings as the job will, and leaves to it what it alone can know.

    That is a fault that the message ascribes to a swept key, and what only the job's own process or machine resolves.

    Raises:
        InputError: a setting can't be used.
    """
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    job.run_dir, job.sweep.resume = str(folder), None
    try:
        check(job)
    except InputError as error:
        its_own = isinstance(error.__cause__, InterpolationResolutionError)
        if not its_own and not str(error).startswith(tuple(f"{key}{mark}" for key in swept for mark in "=.: ")):
            raise


def _describe(config: DictConfig, parsed: Sequence[Override], overrides: list[str]) -> SweepRecord:
    swept = [override for override in parsed if override.is_sweep_override()]
    keys = [key_of(override.get_key_element()) for override in swept]
    if config.sweep.on_error not in ON_ERROR:
        raise InputError(f"sweep.on_error={config.sweep.on_error}: not one of {', '.join(ON_ERROR)}")
    follows = not any(key_of(override) == "optimized_metric" for override in overrides)
    for key in ["optimized_metric", *(["checkpoint.monitor"] if follows else [])]:
        if key in keys:
            raise InputError(f"{key}: swept, but jobs are compared by one metric; give optimized_metric=NAME")
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
        raise InputError(f"{override.input_line}: only Optuna chooses from an interval; give sweep=optuna, or values")
    values = list(override.sweep_string_iterator())
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{override.input_line}: {value} is there twice, and would be the same job; leave one out")
    return True


def hydra_arguments(plan: Plan, *more: str) -> list[str]:
    """The command line that Hydra gets."""
    options = [option for option in plan.options if option not in ("-m", "--multirun")]
    return ["-m", *options, *plan.record.overrides, f"hydra.sweep.dir={as_value(str(plan.folder))}", *more]
