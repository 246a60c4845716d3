"""Compare scored runs and write tables, curves and images."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch.loggers import WandbLogger
from omegaconf import DictConfig

from pose_inpaint.build import build_loggers
from pose_inpaint.config.schema import ReportSettings
from pose_inpaint.config.settings import accept_one, plain_config, read_settings
from pose_inpaint.data.contact_sheet import draw_contact_sheet
from pose_inpaint.data.images import read_image, save_image, to_signed
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.scored_run import ScoredRun, check_comparable, read_scored_run
from pose_inpaint.metrics.score_names import Intervals, label
from pose_inpaint.reporting.cost_table import COST, format_cost
from pose_inpaint.reporting.curves import draw_curves
from pose_inpaint.reporting.groups import GroupScore, score_groups, write_groups_csv, write_groups_markdown
from pose_inpaint.reporting.latex import write_latex, write_latex_cost
from pose_inpaint.reporting.names import print_names
from pose_inpaint.reporting.paired_differences import best_method, compare
from pose_inpaint.reporting.seeds import write_seeds
from pose_inpaint.reporting.tables import Comparison, describe, write_csv, write_differences, write_markdown
from pose_inpaint.tracking.files import CONTACT_SHEET, DIFFERENCES, EXAMPLES
from pose_inpaint.tracking.lock import locked
from pose_inpaint.tracking.session import recorded

HEADLINE = (
    "mse_composite_whole", "mse_composite_hole", "psnr_composite_whole", "dssim_composite_whole",
    "lpips_composite_whole", "lpips_vgg_unverified_composite_whole",
    "fid_composite_whole", "kid_composite_whole", "frechet_vgg16_composite_whole",
    "wnjd_composite_whole", "wnjd_composite_hole", "pck_composite_whole", "found_composite_whole",
)  # fmt: skip

ALWAYS = (DIFFERENCES, "table.md", "table.csv", "table.tex")
SOMETIMES = ("cost.tex", "groups.md", "groups.csv", "seeds.md", CONTACT_SHEET, "curves.png", "curves.pdf")
"""Files of a report: those that every one has, and those that depend on what the runs have."""


def report(config: DictConfig) -> None:
    """Write the configured report.

    Raises:
        InputError: A setting is invalid or no run can be used.
        SystemExit: 1 if a run or an output was left out; the others are written.
    """
    accept_one(config, "runs")
    settings = read_settings(config, ReportSettings)
    runs, faults = read_runs(settings.runs)
    names = print_names(runs, settings.names or {}, faults)
    scores = choose_scores(runs, settings.scores)
    differences = compare(runs, scores, settings.seed)
    best = {score: best_method(score, differences, len(runs)) for score in scores}
    intervals: Intervals = settings.intervals  # type: ignore[assignment]  # one of them by the schema
    comparison = Comparison(runs, names, scores, differences, best, intervals)
    groups = score_groups(runs, scores, settings.mask_ratio_edges, settings.seed)
    folder = Path(settings.output)
    with locked(folder, "output", command="report"):
        write_differences(comparison, folder / DIFFERENCES)  # first, since it marks the folder as a report's
        for name in SOMETIMES:
            (folder / name).unlink(missing_ok=True)
        write_markdown(comparison, folder / "table.md")
        write_csv(comparison, folder / "table.csv")
        write_latex(comparison, folder / "table.tex")
        write_latex_cost(comparison, folder / "cost.tex")
        if groups:
            write_groups_markdown(comparison, groups, folder / "groups.md")
            write_groups_csv(comparison, groups, folder / "groups.csv")
        write_seeds(comparison, folder / "seeds.md", settings.seed)
        print((folder / "table.md").read_text(encoding="utf-8"))
        drawn = draw(comparison, groups, settings.images, folder, faults)
        _send(settings, plain_config(config), comparison, drawn)
        written = [name for name in (*ALWAYS, *SOMETIMES) if (folder / name).exists()]
    print(f"Written to {folder}: {', '.join(written)}")
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)


def draw(found: Comparison, groups: Sequence[GroupScore], images: str, folder: Path, faults: list[str]) -> list[Path]:
    """Draw the contact sheet and the curves; return those to show, and append to `faults` why one is missing."""
    sheet, curves = folder / CONTACT_SHEET, folder / "curves.png"
    drawn = []
    try:
        if draw_examples(found, images, sheet):
            drawn.append(sheet)
        else:
            faults.append("contact_sheet.png: the runs have no examples in common; score them with the same examples=N")
        if draw_curves(found.names, groups, [curves, curves.with_suffix(".pdf")]):
            drawn.append(curves)
    except InputError as error:
        faults.append(str(error))
    return drawn


def read_runs(folders: list[str]) -> tuple[list[ScoredRun], list[str]]:
    """Read the runs that are comparable with the first valid one, and describe the problems of the others.

    Raises:
        InputError: A folder is listed twice, or no run is valid.
    """
    if len({Path(folder).resolve() for folder in folders}) != len(folders):
        raise InputError(f"runs={folders}: the same folder is listed twice; list each once")
    runs: list[ScoredRun] = []
    faults = []
    for folder in folders:
        try:
            run = read_scored_run(folder)
            check_comparable(runs, run)
            runs.append(run)
        except InputError as error:
            faults.append(str(error))
    if not runs:
        raise InputError(faults[0] if faults else "runs=[]: give at least one folder that evaluate wrote")
    return runs, faults


def choose_scores(runs: list[ScoredRun], wanted: list[str] | None) -> list[str]:
    """Scores to report: `wanted`, else the headline scores, else all; raise `InputError` if no run has a wanted one."""
    available = list(dict.fromkeys(name for run in runs for name in (*run.file.scores, *run.file.of_sets)))
    if wanted is None:
        return [name for name in HEADLINE if name in available] or available
    for name in wanted:
        if name not in available:
            raise InputError(f"scores: no run has {name}; available are {', '.join(available)}")
    return wanted


def draw_examples(found: Comparison, image: str, path: Path) -> bool:
    """Draw the examples that all runs have, with input and original; return False if there are none."""
    folders = [run.folder / EXAMPLES for run in found.runs]
    kept = [{p.relative_to(f / image).as_posix() for p in (f / image).rglob("*.png")} for f in folders]
    names = sorted(set.intersection(*kept))
    if not names:
        return False
    columns = [folders[0] / "input", *(folder / image for folder in folders), folders[0] / "original"]
    rows = torch.stack([torch.stack([to_signed(read_image(c / name)) for c in columns]) for name in names])
    save_image(draw_contact_sheet(rows, ["input", *found.names, "original"], names), path)
    return True


def _send(settings: ReportSettings, plain: dict[str, object], found: Comparison, drawn: list[Path]) -> None:
    """Log the tables and images to W&B if `logger` is set."""
    for logger in build_loggers(settings.logger):
        assert isinstance(logger, WandbLogger)  # the schema refuses others
        with recorded([logger], plain):
            rows = [[name, *found.marked(index, "{}")] for index, name in enumerate(found.names)]
            logger.log_table("table", columns=["method", *map(label, found.scores)], data=rows)
            costs = [[name, *format_cost(run.file.cost)] for name, run in zip(found.names, found.runs, strict=True)]
            logger.log_table("cost", columns=["method", *COST.values()], data=costs)
            logger.log_image("report", [str(path) for path in drawn], caption=[describe(found)[0]] * len(drawn))
