"""`python -m pose_inpaint.report runs=[DIR,...] output=DIR`: one table, sheet and chart of any number of methods."""

from __future__ import annotations

from pose_inpaint.config.command import run_command
from pose_inpaint.reporting.report import run


def main() -> None:
    """The command; exits with 1 if a run had to be left out."""
    run_command("report", run)


if __name__ == "__main__":
    main()
