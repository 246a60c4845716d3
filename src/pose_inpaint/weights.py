"""`python -m pose_inpaint.weights [folder=DIR]`: list the released weights that are at hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import WeightsSettings
from pose_inpaint.config.settings import read_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command."""
    run_command("weights", run)


def run(config: DictConfig) -> None:
    """Print what lies in the package, in the hub's cache, and in a folder.

    Raises:
        InputError: No such folder, or no released weights in it.
    """
    from pose_inpaint.reporting.weights_list import describe_weights, find_weights

    found, left_out = find_weights(read_settings(config, WeightsSettings).folder)
    print("\n\n".join(describe_weights(each) for each in found))
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
