"""`python -m pose_inpaint.evaluate checkpoint=PATH data=...`, `model=mean` or `predictions=DIR`: scores a method."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.config.settings import plain_config, read_settings

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command."""
    run_command("evaluate", run)


def run(config: DictConfig) -> None:
    """Score as configured.

    Raises:
        InputError: A setting or an input file can't be used; nothing is written.
    """
    from hydra.core.hydra_config import HydraConfig

    from pose_inpaint import build
    from pose_inpaint.config.overrides import key_of
    from pose_inpaint.data.inspection import warn_few
    from pose_inpaint.evaluation.candidates import choose_method, read_predictions
    from pose_inpaint.evaluation.checks import build_scores, check_originals, check_settings
    from pose_inpaint.evaluation.evaluate import evaluate
    from pose_inpaint.evaluation.evaluator import timed
    from pose_inpaint.reporting.console import describe_seconds, score_table
    from pose_inpaint.reporting.cost_table import describe_cost_briefly
    from pose_inpaint.runtime.devices import choose_device, explained_memory
    from pose_inpaint.tracking.lock import locked
    from pose_inpaint.tracking.provenance import describe_run

    settings, plain = read_settings(config, EvaluateSettings), plain_config(config)
    check_settings(settings)
    with (
        locked(Path(settings.run_dir), command="evaluate"),
        explained_memory("give a smaller data.batch_size or data.size, or free memory"),
    ):
        device = choose_device(settings.device)
        method = choose_method(settings, device) if settings.predictions is None else None
        if method is not None and method.size not in (None, settings.data.size):
            if any(key_of(override) == "data.size" for override in HydraConfig.get().overrides.task):
                print(
                    f"data.size={settings.data.size}: the network was trained at {method.size}, its size by default",
                    file=sys.stderr,
                )
            else:
                settings.data.size = plain["data"]["size"] = method.size
        judge = build.build_judge(settings.pose, device)
        data = build.build_data(settings.data, settings.mask, settings.seed)
        metrics = build_scores(settings, judge, len(data.images(settings.split)))  # before images are read
        seconds: dict[str, float] = {}
        with timed(seconds, "checking"):
            (inspection,) = data.inspect(settings.split)
        check_originals(inspection)
        method = method or read_predictions(settings, data)
        records = (plain, describe_run(plain, [inspection], str(device), None))
        file = evaluate(settings, method, data, inspection, device, metrics, judge, records)
        print(score_table(file, settings.contact_sheet.rank_by, None if judge is None else judge.describe()))
        print(f"\n{describe_seconds({**seconds, **file.seconds}, file.n)}")
        print(describe_cost_briefly(file.cost or {}))
        print(f"split {file.split}, n {file.n}, {file.mean_mask_ratio:.1%} masked on average: {settings.run_dir}")
        warn_few(file.split, file.n)


if __name__ == "__main__":
    main()
