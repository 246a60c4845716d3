"""A sweep's Optuna study: whether it fits what is asked for, and what is left of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.errors import InputError
from pose_inpaint.runtime.optional import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pose_inpaint.multirun.sweep.plan import Plan

SQLITE = "sqlite:///"
NEEDS = "sweep=optuna needs hydra-optuna-sweeper and Optuna 2"


def study_arguments(plan: Plan) -> tuple[list[str], int]:
    """What Hydra's plugin has to be told of the study, and how many trials are left.

    Trials that came to nothing (killed, failed, not begun) are put first again, with the values they had.

    Raises:
        InputError: the direction contradicts the metric, or the study is one of another search.
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
    if study.direction.name.lower() != plan.record.direction:
        raise InputError(
            f"hydra.sweeper.storage={sweeper.storage}: that study is to {study.direction.name.lower()}, and "
            f"{plan.record.metric} is to be {plan.record.direction}d; choose another study_name"
        )
    left = plan.record.jobs - sum(trial.state.name == "COMPLETE" for trial in study.trials)
    if "seed" in sweeper.sampler and sweeper.sampler.seed is not None:
        # The sampler starts anew; with the same seed it would draw the first trials again.
        more.append(f"hydra.sweeper.sampler.seed={int(sweeper.sampler.seed) + len(study.trials)}")
    return [*more, f"hydra.sweeper.n_trials={left}"], left


def enqueue_unfinished(plan: Plan) -> None:
    """Puts trials that came to nothing first again; called once the sweep has begun."""
    optuna = import_extra("optuna", NEEDS, "sweep")
    study = _load(optuna, plan)
    if study is None:
        return
    states = optuna.trial.TrialState
    done = [trial.params for trial in study.trials if trial.state == states.COMPLETE]
    done += [trial.system_attrs["fixed_params"] for trial in study.trials if trial.state == states.WAITING]
    for trial in study.trials:
        if trial.state == states.RUNNING:  # asked for, and its sweep was killed
            study.tell(trial.number, state=states.FAIL)
        if trial.state in (states.RUNNING, states.FAIL) and trial.params and trial.params not in done:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Optuna 2 calls it experimental; later ones don't
                study.enqueue_trial(trial.params)
            done.append(trial.params)


def _load(optuna: Any, plan: Plan) -> Any:
    """The study, None where it is still to be made."""
    sweeper = plan.config.hydra.sweeper
    storage = sweeper.storage
    if storage is None or sweeper.study_name is None:
        return None
    if storage.startswith(SQLITE) and not Path(storage.removeprefix(SQLITE)).is_file():
        return None  # Optuna would make the file
    try:
        return optuna.load_study(study_name=sweeper.study_name, storage=storage)
    except KeyError:
        return None
    except Exception as error:
        raise InputError(
            f"hydra.sweeper.storage={storage}: no study can be read there ({str(error).splitlines()[0]})"
        ) from error


def _check_direction(plan: Plan) -> None:
    given = plan.config.hydra.sweeper.direction
    name = str(getattr(given, "name", given))
    if given is not None and name != plan.record.direction:
        raise InputError(
            f"hydra.sweeper.direction={name}: optimized_metric={plan.record.metric} is to be {plan.record.direction}d; "
            "leave the direction out"
        )


def _check_space(plan: Plan, study: Any) -> None:
    """Names the keys in which a study's search differs from the one that is asked for."""
    plugin = import_extra("hydra_plugins.hydra_optuna_sweeper._impl", NEEDS, "sweep")
    space, fixed = plugin.create_params_from_overrides(list(_lines(plan)))
    for trial in study.trials:
        if not trial.params:
            continue  # asked for, and nothing chosen yet
        before = {**trial.distributions, **{k: v for k, v in trial.user_attrs.items() if not _is_hydras(f"{k}=")}}
        now = {**space, **fixed}
        differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if differing:
            pairs = (f"{key} (there {before.get(key, 'none')}, here {now.get(key, 'none')})" for key in differing)
            raise InputError(
                f"hydra.sweeper.storage={plan.config.hydra.sweeper.storage}: study {study.study_name} is of another "
                f"search; these differ: {', '.join(pairs)}; choose another hydra.sweeper.study_name"
            )


def _lines(plan: Plan) -> Iterable[str]:
    return (str(override.input_line) for override in plan.parsed if not _is_hydras(str(override.input_line)))


def _is_hydras(line: str) -> bool:
    return line.startswith(("hydra.", "hydra/", "sweep.", "sweep="))
