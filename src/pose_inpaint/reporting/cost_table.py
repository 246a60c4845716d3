"""Cost of the methods of a comparison: headings, cells, and Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from pose_inpaint.evaluation.scored_run import ScoredRun
from pose_inpaint.reporting.markup import markdown_table

MEANING = (
    "GFLOP: of inpainting one image, a multiply-add counting as two. Time: of inpainting alone, in batches. Peak "
    "memory: on a GPU what PyTorch had allocated there while inpainting, on a CPU what the whole process had resident."
)
COST = {
    "parameters": "parameters",
    "gflop": "GFLOP an image",
    "seconds_per_image": "ms an image",
    "peak_memory_bytes": "peak memory (MiB)",
    "device": "device",
}
"""Keys of the block `cost` of `scores.json`, and their headings."""
NUMBERS = (
    ("parameters", 1, ",.0f"), ("gflop", 1, ".2f"), ("seconds_per_image", 1000, ".1f"),
    ("peak_memory_bytes", 2**-20, ",.0f"),
)  # fmt: skip
"""Keys that are numbers, with the factor to the printed unit and the format."""


def cost_markdown(runs: Sequence[ScoredRun], names: Sequence[str]) -> list[str]:
    """Lines of a table; none if no cost was recorded."""
    if not has_costs(runs):
        return []
    rows = [[name, *format_cost(run.file.cost)] for run, name in zip(runs, names, strict=True)]
    return ["", "Cost:", "", *markdown_table(["method", *COST.values()], rows), "", MEANING]


def cost_row(run: ScoredRun) -> list[Any]:
    """Cells of the CSV, as measured; empty for what was not."""
    return [(run.file.cost or {}).get(key) for key in COST]


def has_costs(runs: Sequence[ScoredRun]) -> bool:
    """Whether any run has its cost recorded."""
    return any(run.file.cost for run in runs)


def format_cost(cost: Mapping[str, Any] | None) -> list[str]:
    """Cells of `COST`; a dash for what was not measured."""
    cost = cost or {}
    device = cost.get("device")
    if device == "cpu":
        device = f"cpu, {cost['threads']} thread{'s' if cost['threads'] > 1 else ''}"
    cells = [f"{cost[key] * factor:{form}}" if cost.get(key) is not None else "-" for key, factor, form in NUMBERS]
    return [*cells, device or "-"]


def describe_cost_briefly(cost: Mapping[str, Any]) -> str:
    """Cost of a method in one line."""
    cells = ", ".join(f"{heading} {text}" for heading, text in zip(COST.values(), format_cost(cost), strict=True))
    return f"Cost: {cells}, batches of {cost['batch_size']}"
