"""Optuna study of a sweep: compatibility checks, remaining trials and unfinished ones."""

import warnings
from pathlib import Path
from typing import Any

from pose_inpaint.errors import InputError, first_line
from pose_inpaint.multirun.sweep.plan import Plan
from pose_inpaint.runtime.optional import import_extra

SQLITE = "sqlite:///"
NEEDS = "sweep=optuna needs hydra-optuna-sweeper and Optuna 2"


def study_arguments(plan: Plan) -> tuple[list[str], int]:
    """Check the study and return the overrides for Hydra's plugin and the number of remaining trials.

    Raises:
        InputError: The direction contradicts the metric, or the study has another search space.
    """
    sweeper = plan.config.hydra.sweeper
    optuna = import_extra("optuna", NEEDS, "sweep")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _check_direction(plan)
    more = [f"hydra.sweeper.direction={plan.record.direction}"]
    study = _load(optuna, plan)
    if study is None:
        return more, plan.record.jobs
    _check_space(plan, study)
    direction = study.direction.name.lower()
    if direction != plan.record.direction:
        raise InputError(
            f"hydra.sweeper.storage={sweeper.storage}: the study's direction is {direction}, but {plan.record.metric} "
            f"needs {plan.record.direction}; choose another hydra.sweeper.study_name"
        )
    left = plan.record.jobs - sum(trial.state.name == "COMPLETE" for trial in study.trials)
    if "seed" in sweeper.sampler and sweeper.sampler.seed is not None:
        # A restarted sampler with the same seed would draw the first trials again.
        more.append(f"hydra.sweeper.sampler.seed={int(sweeper.sampler.seed) + len(study.trials)}")
    return [*more, f"hydra.sweeper.n_trials={left}"], left


def enqueue_unfinished(plan: Plan) -> None:
    """Enqueue killed and failed trials again, with the same values; call it once the sweep has begun."""
    optuna = import_extra("optuna", NEEDS, "sweep")
    study = _load(optuna, plan)
    if study is None:
        return
    states = optuna.trial.TrialState
    # Parameters that are complete or already waiting need no other trial.
    done = [trial.params for trial in study.trials if trial.state == states.COMPLETE]
    done += [trial.system_attrs["fixed_params"] for trial in study.trials if trial.state == states.WAITING]
    for trial in study.trials:
        if trial.state == states.RUNNING:  # its sweep was killed
            study.tell(trial.number, state=states.FAIL)
        if trial.state in (states.RUNNING, states.FAIL) and trial.params and trial.params not in done:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # experimental in Optuna 2 only
                study.enqueue_trial(trial.params)
            done.append(trial.params)


def _load(optuna: Any, plan: Plan) -> Any:
    """Load the study; None if it doesn't exist yet."""
    sweeper = plan.config.hydra.sweeper
    storage = sweeper.storage
    if storage is None or sweeper.study_name is None:
        return None
    if storage.startswith(SQLITE) and not Path(storage.removeprefix(SQLITE)).is_file():  # Optuna would create the file
        return None
    try:
        return optuna.load_study(study_name=sweeper.study_name, storage=storage)
    except KeyError:
        return None
    except Exception as error:
        raise InputError(f"hydra.sweeper.storage={storage}: can't read the study ({first_line(error)})") from error


def _check_direction(plan: Plan) -> None:
    given = plan.config.hydra.sweeper.direction
    name = str(getattr(given, "name", given))
    if given is not None and name != plan.record.direction:
        raise InputError(
            f"hydra.sweeper.direction={name}: optimized_metric={plan.record.metric} needs {plan.record.direction}; "
            "leave the direction out"
        )


def _check_space(plan: Plan, study: Any) -> None:
    """Raise `InputError` naming the keys whose search space differs from the study's."""
    plugin = import_extra("hydra_plugins.hydra_optuna_sweeper._impl", NEEDS, "sweep")
    lines = (str(override.input_line) for override in plan.parsed)
    space, fixed = plugin.create_params_from_overrides([line for line in lines if not _is_hydras(line)])
    for trial in study.trials:
        if not trial.params:
            continue  # nothing sampled yet
        # Hydra's plugin stores fixed overrides as user attributes of the trial.
        before = {**trial.distributions, **{k: v for k, v in trial.user_attrs.items() if not _is_hydras(f"{k}=")}}
        now = {**space, **fixed}
        differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if differing:
            pairs = (f"{key} (there {before.get(key, 'none')}, here {now.get(key, 'none')})" for key in differing)
            raise InputError(
                f"hydra.sweeper.storage={plan.config.hydra.sweeper.storage}: study {study.study_name} has another "
                f"search space, which differs in {', '.join(pairs)}; choose another hydra.sweeper.study_name"
            )


def _is_hydras(line: str) -> bool:
    return line.startswith(("hydra.", "hydra/", "sweep.", "sweep="))
