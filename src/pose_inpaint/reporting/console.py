"""Scores as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pose_inpaint.metrics.score_names import WNJD_IN_WORDS, format_estimate, format_number

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL = 28  # letters


def score_table(
    summary: Mapping[str, Any], rank_by: str, estimator: str | None, bounds: Mapping[str, Any] | None
) -> str:
    """All scores with interval and n; then the ranking score, and WNJD, by mask ratio and source."""
    lines = [f"{'':<{LABEL}}{'value':>10}   95 % interval          n"]
    groups: dict[str, list[str]] = {}
    for name in summary["scores"]:
        image, region = name.rsplit("_", 2)[1:]
        groups.setdefault(f"{image}, {region}", []).append(name)
    for heading, names in groups.items():
        lines.append(heading)
        lines += [_row(f"  {name.rsplit('_', 2)[0]}", name, summary["scores"][name]) for name in names]
    for name, value in summary["of_sets"].items():
        lines.append(f"{name:<{LABEL}}{format_number(name, value):>10}   of the set as a whole")
    if estimator is not None:
        lines.append(f"\nPoses: {estimator}\n{WNJD_IN_WORDS}")
        lines += describe_bounds(bounds)
    for name in [rank_by, *(n for n in summary["scores"] if n.startswith("wnjd_"))]:
        for title, key in {"mask ratio": "by_mask_ratio", "source": "by_source"}.items():
            if len(summary[key]) > 1 or key == "by_mask_ratio":
                lines.append(f"\n{name} by {title}")
                lines += [_row(f"  {label}", name, g["scores"][name]) for label, g in summary[key].items()]
    return "\n".join(lines)


def _row(label: str, name: str, estimate: Mapping[str, Any]) -> str:
    value, low, high = (format_number(name, estimate[key]) for key in ("value", "low", "high"))
    return f"{label:<{LABEL}}{value:>10}   {f'[{low}, {high}]':<20}{estimate['n']:>4}"


def describe_bounds(bounds: Mapping[str, Any] | None) -> list[str]:
    """Floor and ceiling of WNJD, a line each for all joints and for masked ones."""
    return [
        f"{which.capitalize()} of WNJD over {'all' if name.endswith('whole') else 'masked'} joints "
        f"({bound['what']}): {format_estimate(name, each)}, n {each['n']}"
        for which, bound in (bounds or {}).items()
        for name, each in bound["scores"].items()
        if name.startswith("wnjd_")
    ]


def describe_seconds(seconds: Mapping[str, float], images: int) -> str:
    """Time by stage, and of the stages that look for poses the milliseconds an image."""
    spent = []
    for stage, value in seconds.items():
        each = f" ({1000 * value / images:.0f} ms an image)" if stage in ("pose", "poses of originals") else ""
        spent.append(f"{stage} {value:.1f}{each}")
    return f"Seconds: {', '.join(spent)}"
