"""Entry point of every command: Hydra composes the configuration; an invalid input is one line and an exit status."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pose_inpaint.config.renamed import check_renamed
from pose_inpaint.config.resolvers import register_resolvers
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.ranks import LOST, LostRankError
from pose_inpaint.runtime.signals import StopRequestedError, say_last

Command = Callable[[DictConfig], Any]

INPUT_FAULT = 2  # exit status
SHOWING = {"-h", "--help", "--hydra-help", "-c", "--cfg", "-i", "--info", "-sc", "--shell-completion"}

PACKAGED = Path(__file__).parents[1] / "conf"
CONF = PACKAGED if PACKAGED.is_dir() else Path(__file__).parents[3] / "conf"
"""Folder of the configuration: inside the package in a wheel, beside src/ in a clone."""

register_resolvers()


def run_command(
    name: str,
    run: Command,
    short: Mapping[str, str] | None = None,
    sweep: Callable[[list[str], Command, Callable[[list[str], Command], None]], None] | None = None,
) -> None:
    """Run a command with the arguments of the command line.

    Args:
        name: Name of the root configuration, `conf/NAME.yaml`.
        run: Function that runs the command.
        short: Full key for each short one that Hydra would read as another key.
        sweep: Function that runs a multirun, called with the arguments, the command, and a launcher of Hydra jobs.
    """
    traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise Hydra prints its long errors and exits
    arguments = sys.argv
    sys.argv = [arguments[0], *(_expand(argument, short or {}) for argument in arguments[1:])]
    started = False

    def guarded(config: DictConfig) -> Any:
        nonlocal started
        started = True
        try:
            return run(config)
        except InputError as error:
            _leave_no_trace()
            if traceback:
                raise
            _fail(str(error))
        except StopRequestedError as error:
            say_last(error.message)
            raise
        except LostRankError as error:
            print(f"error: lost another rank ({error})", file=sys.stderr)
            raise SystemExit(LOST) from error

    def launch(arguments: list[str], command: Command) -> None:
        sys.argv[1:] = arguments
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(command)()

    try:
        check_renamed(sys.argv[1:])
        _check_null_choices(sys.argv[1:])
        _check_chdir(sys.argv[1:])
        if sweep is not None and is_multirun(sys.argv[1:]):
            sweep(sys.argv[1:], run, launch)
        else:
            launch(sys.argv[1:], guarded)
    except InputError as error:  # of a sweep before its first job; `guarded` handles those of a run
        if traceback or started:
            raise
        _fail(str(error))
    except (HydraException, OmegaConfBaseException, OSError, ValueError) as error:
        ours = started and isinstance(error, ValueError)  # Hydra composes before it calls us
        if traceback or ours:
            raise
        _fail(one_line(error))
    finally:
        sys.argv = arguments
        if not traceback:
            os.environ.pop("HYDRA_FULL_ERROR", None)


def is_multirun(arguments: Iterable[str]) -> bool:
    """Whether Hydra's arguments ask for several jobs, and not only for output such as --help."""
    given = set(arguments)
    return bool(given & {"-m", "--multirun", "hydra.mode=MULTIRUN"}) and not given & SHOWING


def _expand(argument: str, short: Mapping[str, str]) -> str:
    key, equals, value = argument.partition("=")
    return f"{short[key]}={value}" if equals and key in short else argument


def options_of(group: str) -> list[str]:
    """Names of the files of a configuration group; none if there is no such group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml")) if group else []


def _check_null_choices(arguments: Iterable[str]) -> None:
    """Refuse `discriminator=null` and the like by key, which Hydra's message does not name."""
    for argument in arguments:
        key, _, value = argument.partition("=")
        if value == "null" and (CONF / key).is_dir():
            _fail(f"{argument}: null is not an option of {key}; choose one of {', '.join(options_of(key))}")


def _check_chdir(arguments: Iterable[str]) -> None:
    """Refuse to start in the run's folder, where relative paths of the command line would mean other files."""
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key.lstrip("+") == "hydra.job.chdir" and value.lower() not in ("false", "null"):
            _fail(f"{argument}: relative paths are read from the folder that the command starts in; leave it out")


def _leave_no_trace() -> None:
    """Remove the run's folder if it is empty."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder.is_dir() and folder != Path.cwd() and not any(folder.iterdir()):
        folder.rmdir()


def one_line(error: Exception) -> str:
    """Shorten an error of Hydra's to its first lines, which name key and value."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, OverrideParseException):
        is_list = error.override.partition("=")[2].startswith("[")
        quoted = 'each entry: \'KEY=["VALUE","VALUE"]\'' if is_list else "other marks: 'KEY=\"VALUE\"'"
        return f"{error.override}: can't be read as KEY=VALUE; write $HOME for ~ and quote {quoted}"
    if isinstance(error, MissingConfigException):
        end = lines.index("Config search path:") if "Config search path:" in lines else len(lines)
        options = lines[2:end] or options_of(str(error.missing_cfg_file).rpartition("/")[0])
        return f"{lines[0].rstrip('.')}; choose one of {', '.join(options)}" if options else lines[0]
    if lines and lines[0].startswith("Ambiguous value for argument"):
        key, _, values = lines[0].split("'", 1)[1].rstrip("'").partition("=")
        return f"{key}={values}: several values; add -m to run each of them, or give a list, '{key}=[{values}]'"
    overridden = re.match(r"Could not override '((\w+)\.(\w+)\.[^']*)'", lines[0] if lines else "")
    if overridden and (CONF / overridden[2] / f"{overridden[3]}.yaml").is_file():
        key, group, option = overridden.groups()
        return f"{key}: {group}={option} is not chosen, whose setting it is; add {group}={option}"
    cause = error.__cause__
    if isinstance(error, OmegaConfBaseException) or cause is None:
        return "; ".join(lines[:2])
    return "; ".join([*lines[:1], *str(cause).splitlines()[:1]])


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(INPUT_FAULT)
