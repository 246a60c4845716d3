"""`python -m pose_inpaint.report runs=[DIR,...] output=DIR`: compares scored methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command; exit with status 1 if a run had to be left out."""
    run_command("report", run)


def run(config: DictConfig) -> None:
    """Report as configured."""
    from pose_inpaint.reporting.report import report  # not at the top, so that --help needs no PyTorch

    report(config)


if __name__ == "__main__":
    main()
