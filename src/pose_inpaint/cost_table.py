"""What the systems of a comparison cost, as Markdown, CSV and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pose_inpaint.tables import COST, escape_latex, format_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pose_inpaint.scored_run import ScoredRun

MEANING = (
    "GFLOP: of completing one picture, a multiply-add counting as two. Time: of completing alone, in batches. Peak "
    "memory: on a GPU what PyTorch had allocated there while completing, on a CPU what the whole process had resident."
)


def cost_markdown(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """The lines of a table; none where no run has its cost recorded, as those of older versions have not."""
    if not has_costs(runs):
        return []
    lines = ["", "Cost:", "", "| system | " + " | ".join(COST.values()) + " |", "|" + "---|" * (len(COST) + 1)]
    for run, name in zip(runs, names, strict=True):
        lines.append(f"| {name} | " + " | ".join(format_cost(run.cost)) + " |")
    return [*lines, "", MEANING]


def cost_latex(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """The lines of a second `tabular`; none where no run has its cost recorded."""
    if not has_costs(runs):
        return []
    lines = ["", rf"\medskip % {MEANING}", r"\begin{tabular}{l" + "r" * (len(COST) - 1) + "l}", r"\hline"]
    lines += [" & ".join(["system", *COST.values()]) + r" \\", r"\hline"]
    for run, name in zip(runs, names, strict=True):
        lines.append(" & ".join(escape_latex(text) for text in [name, *format_cost(run.cost)]) + r" \\")
    return [*lines, r"\hline", r"\end{tabular}"]


def cost_row(run: ScoredRun) -> list[Any]:
    """The cells of the CSV, as they were measured; empty for what was not."""
    return [(run.cost or {}).get(key) for key in COST]


def has_costs(runs: Sequence[ScoredRun]) -> bool:
    """Whether any run has its cost recorded."""
    return any(run.cost for run in runs)
