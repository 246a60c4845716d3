"""`python -m pose_inpaint.verify data=...`: read every file of a data set and report all problems."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import VerifySettings
from pose_inpaint.config.settings import read_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from pose_inpaint.data.inspection import Inspection


def main() -> None:
    """Run the command; exit with status 1 if there is any problem."""
    run_command("verify", run)


def run(config: DictConfig) -> None:
    """Inspect the configured splits, print a summary, and exit with status 1 if there is any problem."""
    from tqdm import tqdm

    from pose_inpaint.build import build_data
    from pose_inpaint.data.images import list_others
    from pose_inpaint.data.inspection import find_shared, inspect, warn_few

    settings = read_settings(config, VerifySettings)
    data = build_data(settings.data, settings.mask, settings.seed)
    problems, inspections = [], []
    for split in settings.splits:
        if split == "test" and not data.source.has(split):
            print("test: no such split; training will end without test scores")
            continue
        with tqdm(desc=f"Reading {split}", unit="image", leave=False, disable=None) as bar:
            inspection = inspect(data.source, data.masks, settings.data.size, split, data.resizing, on_image=bar.update)
        print(describe(inspection))
        warn_few(split, inspection.images)
        problems += inspection.problems
        inspections.append(inspection)
    problems += find_shared(inspections)
    others = list(list_others(data.source.paths[0]))
    if others:
        print(
            f"{len(others)} files are not images, and not read: {', '.join(others[:5])}{', ...' if others[5:] else ''}"
        )
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} found" if problems else "no problem found")
    if problems:
        raise SystemExit(1)


def describe(inspection: Inspection) -> str:
    """Summarize the counts and mask ratios of a split in one line."""
    import numpy as np

    line = f"{inspection.split}: {inspection.images} images"
    if inspection.blind:
        line += f", {inspection.blind} without an original"
    ratios = inspection.mask_ratios
    if ratios:
        low, median, high = np.quantile(ratios, (0, 0.5, 1))
        mean = sum(ratios) / len(ratios)
        line += f"; mask ratio: mean {mean:.1%}, median {median:.1%}, from {low:.1%} to {high:.1%}"
    return f"{line}; {len(inspection.problems)} problems; data {inspection.digest[:12]}"


if __name__ == "__main__":
    main()
