"""What the methods of a comparison cost, as Markdown, CSV and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pose_inpaint.evaluation.scored_run import ScoredRun

MEANING = (
    "GFLOP: of inpainting one image, a multiply-add counting as two. Time: of inpainting alone, in batches. Peak "
    "memory: on a GPU what PyTorch had allocated there while inpainting, on a CPU what the whole process had resident."
)


def cost_markdown(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """The lines of a table; none where no run has its cost recorded, as those of older versions have not."""
    if not has_costs(runs):
        return []
    lines = ["", "Cost:", "", "| method | " + " | ".join(COST.values()) + " |", "|" + "---|" * (len(COST) + 1)]
    for run, name in zip(runs, names, strict=True):
        lines.append(f"| {name} | " + " | ".join(format_cost(run.file.cost)) + " |")
    return [*lines, "", MEANING]


def cost_latex(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """The lines of a second `tabular`; none where no run has its cost recorded."""
    if not has_costs(runs):
        return []
    lines = ["", rf"\medskip % {MEANING}", r"\begin{tabular}{l" + "r" * (len(COST) - 1) + "l}", r"\hline"]
    lines += [" & ".join(["method", *COST.values()]) + r" \\", r"\hline"]
    for run, name in zip(runs, names, strict=True):
        lines.append(" & ".join(escape_latex(text) for text in [name, *format_cost(run.file.cost)]) + r" \\")
    return [*lines, r"\hline", r"\end{tabular}"]


def cost_row(run: ScoredRun) -> list[Any]:
    """The cells of the CSV, as they were measured; empty for what was not."""
    return [(run.file.cost or {}).get(key) for key in COST]


def has_costs(runs: Sequence[ScoredRun]) -> bool:
    """Whether any run has its cost recorded."""
    return any(run.file.cost for run in runs)


COST = {
    "parameters": "parameters",
    "gflop": "GFLOP an image",
    "seconds_per_image": "ms an image",
    "peak_memory_bytes": "peak memory (MiB)",
    "device": "device",
}
"""What a method costs: the keys of `scores.json`'s block, and their headings."""


def format_cost(cost: Mapping[str, Any] | None) -> list[str]:
    """The cells of `COST`; a dash for what was not measured."""
    cost = cost or {}
    device = cost.get("device")
    if device == "cpu":
        device = f"cpu, {cost['threads']} thread{'s' if cost['threads'] > 1 else ''}"
    numbers = [
        ("parameters", 1, ",.0f"), ("gflop", 1, ".2f"), ("seconds_per_image", 1000, ".1f"),
        ("peak_memory_bytes", 2**-20, ",.0f"),
    ]  # fmt: skip
    cells = [f"{cost[key] * factor:{form}}" if cost.get(key) is not None else "-" for key, factor, form in numbers]
    return [*cells, device or "-"]


def describe_cost_briefly(cost: Mapping[str, Any]) -> str:
    """A line of what a method costs."""
    cells = ", ".join(f"{heading} {text}" for heading, text in zip(COST.values(), format_cost(cost), strict=True))
    return f"Cost: {cells}, batches of {cost['batch_size']}"


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it."""
    for mark in "&%$#_{}":
        text = text.replace(mark, "\\" + mark)
    return text
