"""Names of methods in tables and charts."""

from collections.abc import Collection, Mapping, Sequence

from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.scored_run import ScoredRun, distinct_names


def print_names(runs: Sequence[ScoredRun], wanted: Mapping[str, str], faults: list[str]) -> list[str]:
    """Names to print, all different.

    Args:
        runs: Methods that were scored.
        wanted: Name to print by a run's name, or by the name followed by the folder that tells it from its namesakes.
        faults: Problems of runs that were left out; an unknown name, which may be of one of those, is appended.

    Raises:
        InputError: A name is of no run, and none was left out.
    """
    own = [run.file.name for run in runs]
    distinct = distinct_names(runs, own)
    try:
        check_names(wanted, {*own, *distinct})
    except InputError as error:
        if not faults:
            raise
        faults.append(str(error))
    return distinct_names(
        runs, [wanted.get(long, wanted.get(short, short)) for short, long in zip(own, distinct, strict=True)]
    )


def check_names(wanted: Mapping[str, str], known: Collection[str]) -> None:
    """Raise `InputError` if a name that is to be replaced is not among the known ones."""
    for name in wanted:
        if name not in known:
            raise InputError(f"names: no run is called {name}; there are {', '.join(sorted(known))}")
