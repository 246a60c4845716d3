"""`python -m pose_inpaint.verify data=...`: reads every file of a data set and names what is wrong with it."""

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
    """The command; exits with 1 if there is any problem."""
    run_command("verify", run)


def run(config: DictConfig) -> None:
    """Reads the splits as configured, prints what it found, and exits with 1 if something is wrong."""
    from tqdm import tqdm

    from pose_inpaint.build import build_data
    from pose_inpaint.data.inspection import inspect

    settings = read_settings(config, VerifySettings)
    data = build_data(settings.data, settings.mask, settings.seed)
    problems = []
    for split in settings.splits:
        if split == "test" and not data.source.has(split):
            print("test: there is none; training will not be scored")
            continue
        with tqdm(desc=f"Reading {split}", unit="image", leave=False, disable=None) as bar:
            found = inspect(data.source, data.masks, settings.data.size, split, on_image=bar.update)
        print(describe(found))
        problems += found.problems
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} found" if problems else "no problem found")
    if problems:
        raise SystemExit(1)


def describe(found: Inspection) -> str:
    """Counts and mask ratios of a split, in a line."""
    import numpy as np

    line = f"{found.split}: {found.images} images"
    if found.blind:
        line += f", {found.blind} without an original"
    if found.mask_ratios:
        low, median, high = np.quantile(found.mask_ratios, (0, 0.5, 1))
        mean = sum(found.mask_ratios) / len(found.mask_ratios)
        line += f"; mask ratio: mean {mean:.1%}, median {median:.1%}, from {low:.1%} to {high:.1%}"
    return f"{line}; {len(found.problems)} problems; data {found.digest[:12]}"


if __name__ == "__main__":
    main()
