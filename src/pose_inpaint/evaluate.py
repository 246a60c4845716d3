"""`python -m pose_inpaint.evaluate checkpoint=PATH data=...`, `model=mean` or `predictions=DIR`: scores a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.config.settings import plain_config, read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """The command."""
    run_command("evaluate", run)


def run(config: DictConfig) -> None:
    """Scores as configured.

    Raises:
        InputError: something that the user gave can't be used; nothing is written then.
    """
    from pose_inpaint import build
    from pose_inpaint.evaluation.candidates import choose_method, read_predictions
    from pose_inpaint.evaluation.checks import JOINTS, build_scores, check_settings, find_originals
    from pose_inpaint.evaluation.cost import describe_cost
    from pose_inpaint.evaluation.evaluator import score, timed
    from pose_inpaint.evaluation.examples import draw_ranked, write_examples
    from pose_inpaint.evaluation.pose_bounds import score_bounds
    from pose_inpaint.evaluation.scored_run import write_results
    from pose_inpaint.reporting.console import describe_seconds, score_table
    from pose_inpaint.reporting.cost_table import describe_cost_briefly
    from pose_inpaint.runtime.devices import choose_device

    settings = read_settings(config, EvaluateSettings)
    check_settings(settings)
    device = choose_device(settings.device)
    method = choose_method(settings, device) if settings.predictions is None else None
    judge = build.build_judge(settings.pose, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    images = data.images(settings.split)
    metrics = build_scores(settings, judge, len(images))
    seconds: dict[str, float] = {}
    with timed(seconds, "checking"):
        inspections = data.inspect(settings.split)
    if inspections[0].blind:
        raise InputError(
            f"split={settings.split}: {inspections[0].blind} images have no original to score against; use predict"
        )
    method = method or read_predictions(settings, data)
    batches = data.split_dataloader(settings.split)
    if judge is not None:
        with timed(seconds, "poses of originals"):
            find_originals(judge, batches)
    scores = score(method.inpaint, batches, metrics, device, seed=settings.seed, title=f"Scoring {settings.split}")
    seconds |= scores.seconds
    bounds = None
    if judge is not None and settings.pose.bounds:
        with timed(seconds, "pose bounds"):
            bounds = score_bounds(judge, settings.pose, JOINTS[settings.pose.joints], batches, settings.seed)
    summary = scores.summary(settings.mask_ratio_edges)
    read = settings.predictions is not None
    summary["cost"] = describe_cost(
        scores.meter, method.network, settings.data.size, settings.data.batch_size, reads_files=read
    )
    write_results(settings, plain_config(config), method, scores, summary, inspections, data, device, judge, bounds)
    with timed(seconds, "drawing"):
        draw_ranked(method.inpaint, images, settings.contact_sheet, scores, device, settings.run_dir)
        write_examples(method.inpaint, images, settings.examples, device, settings.run_dir)
    print(score_table(summary, settings.contact_sheet.rank_by, None if judge is None else judge.describe(), bounds))
    print(f"\n{describe_seconds(seconds, summary['n'])}")
    print(describe_cost_briefly(summary["cost"]))
    print(f"{summary['n']} images, {summary['mean_mask_ratio']:.1%} masked on average: {settings.run_dir}")


if __name__ == "__main__":
    main()
