"""Scores as text for the terminal."""

from collections.abc import Mapping

from pose_inpaint.evaluation.scores_file import PoseRecord, ScoresFile
from pose_inpaint.metrics.bootstrap import Estimate
from pose_inpaint.metrics.score_names import POSE_REGIONS, WNJD_IN_WORDS, ScoreName

NO_BOUNDS = "Floor and ceiling of WNJD are left out; pose.bounds=true scores them, in twice the time of the poses."
LABEL = 28  # width of the first column, in characters


def score_table(file: ScoresFile, rank_by: str, estimator: str | None) -> str:
    """All scores with interval and n, then the ranking score and WNJD by mask ratio and source."""
    lines = [f"{'':<{LABEL}}{'value':>10}   95 % interval          n"]
    groups: dict[str, list[ScoreName]] = {}
    for name in map(ScoreName.parse, file.scores):
        groups.setdefault(f"{name.image}, {name.region}", []).append(name)
    for heading, names in groups.items():
        lines.append(heading)
        lines += [_row(f"  {name.metric}", name, file.scores[str(name)]) for name in names]
    for name in map(ScoreName.parse, file.of_sets):
        lines.append(f"{name!s:<{LABEL}}{name.format(file.of_sets[str(name)]):>10}   of the set as a whole")
    if estimator is not None:
        lines.append(f"\nPoses: {estimator}\n{WNJD_IN_WORDS}")
        lines += describe_bounds(file.pose) or [NO_BOUNDS]
    for name in map(ScoreName.parse, [rank_by, *(n for n in file.scores if n.startswith("wnjd_"))]):
        for title, groups_of in (("mask ratio", file.by_mask_ratio), ("source", file.by_source)):
            if len(groups_of) > 1 or title == "mask ratio":
                lines.append(f"\n{name} by {title}")
                lines += [_row(f"  {label}", name, group.scores[str(name)]) for label, group in groups_of.items()]
    return "\n".join(lines)


def _row(label: str, name: ScoreName, estimate: Estimate) -> str:
    value, low, high = (name.format(estimate[key]) for key in ("value", "low", "high"))
    return f"{label:<{LABEL}}{value:>10}   {f'[{low}, {high}]':<20}{estimate['n']:>4}"


def describe_bounds(pose: PoseRecord | None) -> list[str]:
    """Floor and ceiling of WNJD, one line for each set of joints."""
    return [
        f"{which.capitalize()} of WNJD over {POSE_REGIONS[name.region]} ({bound.what}): "
        f"{name.format_estimate(bound.scores[str(name)])}, n {bound.scores[str(name)]['n']}"
        for which, bound in (pose.bounds if pose else {}).items()
        for name in map(ScoreName.parse, bound.scores)
        if name.metric == "wnjd"
    ]


def describe_seconds(seconds: Mapping[str, float], images: int) -> str:
    """Seconds per stage, with milliseconds per image for the pose stages."""
    spent = []
    for stage, value in seconds.items():
        each = f" ({1000 * value / images:.0f} ms an image)" if stage in ("pose", "poses of originals") else ""
        spent.append(f"{stage} {value:.1f}{each}")
    return f"Seconds: {', '.join(spent)}"
