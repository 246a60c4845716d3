"""`python -m pose_inpaint.benchmark +experiment=slides_methods output=DIR`: trains, scores and compares methods."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import BenchmarkSettings, ReportSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from pose_inpaint.multirun.benchmark.plan import Plan


def main() -> None:
    """Run the command; exit with status 1 if a method failed."""
    run_command("benchmark", run)


def run(config: DictConfig) -> None:
    """Train, score and report as configured, skipping what is done already.

    Raises:
        InputError: A setting or an input file can't be used; nothing is written.
    """
    from pose_inpaint.multirun.benchmark.plan import make_plans
    from pose_inpaint.multirun.benchmark.preflight import check_plans
    from pose_inpaint.multirun.benchmark.stages import IMPORTED, complete_method
    from pose_inpaint.runtime.fork_server import warm_starts
    from pose_inpaint.runtime.signals import BY_CTRL_C, ending_by_exception
    from pose_inpaint.tracking.lock import locked
    from pose_inpaint.training.trainer import quieten

    quieten()
    settings = read_settings(config, BenchmarkSettings)
    plans = make_plans(settings, config)
    output = Path(settings.output)
    check_plans([plan for plan in plans if is_left(plan, output, redo=plan.name in settings.redo)])
    reporting = compose_report(settings, [plan.name for plan in plans])
    errors = {}
    try:
        with locked(output, "output"), ending_by_exception(), warm_starts(IMPORTED, warm=settings.warm) as start:
            for i, plan in enumerate(plans, 1):
                label = f"[{i}/{len(plans)}] {plan.name}"
                error = complete_method(plan, output, label, start, redo=plan.name in settings.redo)
                if error is not None:
                    errors[plan.name] = error
    except KeyboardInterrupt:
        print("stopped; run the same command again to do the rest", file=sys.stderr)
        raise SystemExit(BY_CTRL_C) from None
    scored = [output / plan.name / "evaluate" for plan in plans if plan.name not in errors]
    complete = write_report(reporting, scored)
    print(f"{len(scored)} of {len(plans)} methods scored: {output}")
    for name, error in errors.items():
        print(f"failed: {name}: {error}", file=sys.stderr)
    if errors or not complete:
        raise SystemExit(1)


def is_left(plan: Plan, output: Path, *, redo: bool) -> bool:
    """Whether any stage of a method is left to do.

    Raises:
        InputError: Its folder holds other settings, or something else, which `redo` doesn't remove.
    """
    from pose_inpaint.multirun.benchmark.record import check_ours, stages_done

    folder = output / plan.name
    check_ours(folder, plan.key)
    return redo or stages_done(folder, plan.key, plan.settings) != plan.stages


def compose_report(settings: BenchmarkSettings, methods: list[str]) -> DictConfig:
    """Compose the report's configuration, without its runs.

    Raises:
        InputError: `report` contains an invalid setting, or a name to print for none of the methods.
    """
    from hydra import compose

    from pose_inpaint.multirun.benchmark.plan import REPORT, named
    from pose_inpaint.reporting.names import check_names

    with named("report"):
        config = compose("report", ["runs=[]", f"output={REPORT}", f"seed={settings.seed}", *settings.report])
        config.output = str(Path(settings.output) / REPORT)
        check_names(read_settings(config, ReportSettings).names or {}, methods)
    return config


def write_report(config: DictConfig, folders: list[Path]) -> bool:
    """Compare the scored methods; return whether no run had to be left out."""
    from pose_inpaint.reporting.report import report

    if not folders:
        return False
    config.runs = [str(folder) for folder in folders]
    scored = [folder.parent.name for folder in folders]
    config.names = {name: printed for name, printed in (config.names or {}).items() if name in scored}
    try:
        report(config)
    except InputError as error:
        print(f"report: {error}", file=sys.stderr)
        return False
    except SystemExit as stop:
        return not stop.code
    return True


if __name__ == "__main__":
    main()
