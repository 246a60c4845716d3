"""Build everything a benchmark needs, so that it fails before its first command rather than hours later."""

import dataclasses
import json
from collections.abc import Iterable

from pose_inpaint import build
from pose_inpaint.config.schema import EvaluateSettings, TrainSettings
from pose_inpaint.evaluation.candidates import choose_inpainter
from pose_inpaint.evaluation.checks import build_scores, check_settings
from pose_inpaint.multirun.benchmark.plan import Plan, named
from pose_inpaint.runtime.devices import choose_device
from pose_inpaint.training.factory import build_module
from pose_inpaint.training.trainer import build_trainer

METHOD = ("name", "model")  # settings that need no separate check of the scoring


def check_plans(plans: Iterable[Plan]) -> None:
    """Build what the plans need, writing and reading nothing; raise `InputError` naming the method if that fails."""
    checked: set[str] = set()
    for plan in plans:
        with named(plan.key):
            if plan.training is not None:
                check_training(plan.training)
            elif plan.scoring.model is not None:
                choose_inpainter(plan.scoring.model, None, choose_device("cpu"))
            shared = {key: value for key, value in plan.evaluate.settings.items() if key not in METHOD}
            identity = json.dumps(shared, sort_keys=True)
            if identity not in checked:
                check_scoring(plan.scoring)
            checked.add(identity)


def check_training(settings: TrainSettings) -> None:
    """Build data, networks, losses and trainer."""
    data = build.build_data(settings.data, settings.mask, settings.seed)
    build_module(settings, data, {})
    data.check_batch_size()
    build_trainer(settings.trainer, ".", 1, [], [])


def check_scoring(settings: EvaluateSettings) -> None:
    """Build data, pose estimator and scores."""
    untrained = settings.model is None and settings.checkpoint is None  # its checkpoint doesn't exist yet
    check_settings(dataclasses.replace(settings, checkpoint="trained") if untrained else settings)
    device = choose_device(settings.device)
    judge = build.build_judge(settings.pose, device)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    build_scores(settings, judge, len(data.images(settings.split)))
