"""Builds what a benchmark is going to build, so that what can't be stops it before it starts."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from pose_inpaint import build
from pose_inpaint.evaluation.candidates import choose_inpainter
from pose_inpaint.evaluation.checks import build_scores, check_settings
from pose_inpaint.multirun.benchmark.plan import named
from pose_inpaint.runtime.devices import choose_device
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.trainer import build_trainer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pose_inpaint.config.schema import EvaluateSettings, TrainSettings
    from pose_inpaint.multirun.benchmark.plan import Plan

METHOD = ("name", "model")  # settings in which scorings may differ without another check


def check_plans(plans: Iterable[Plan]) -> None:
    """Builds everything but the trained networks' outputs; nothing is written, and no image read.

    Raises:
        InputError: something can't be built; the message names the method.
    """
    checked: set[str] = set()
    for plan in plans:
        with named(plan.key):
            if plan.training is not None:
                check_training(plan.training)
            elif plan.scoring.model is not None:
                choose_inpainter(plan.scoring.model, None, choose_device("cpu"))
            rest = {key: value for key, value in plan.evaluate.settings.items() if key not in METHOD}
            alike = json.dumps(rest, sort_keys=True)
            if alike not in checked:
                check_scoring(plan.scoring)
            checked.add(alike)


def check_training(settings: TrainSettings) -> None:
    """Builds data, networks, losses and trainer."""
    data = build.build_data(settings.data, settings.mask, settings.seed)
    build_module(settings, data, {})
    data.check_batch_size()
    build_trainer(settings.trainer, ".", 1, [], [])


def check_scoring(settings: EvaluateSettings) -> None:
    """Builds data, pose estimator and scores."""
    nothing = settings.model is None and settings.checkpoint is None  # it is still to be trained
    check_settings(dataclasses.replace(settings, checkpoint="trained") if nothing else settings)
    device = choose_device(settings.device)
    judge = build.build_judge(settings.pose, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    build_scores(settings, judge, len(data.images(settings.split)))
