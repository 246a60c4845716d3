"""`python -m pose_inpaint.train_pose data=...`: trains a stacked hourglass on a data set with joints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import TrainPoseSettings
from pose_inpaint.config.settings import plain_config, read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from pose_inpaint.data.datamodule import InpaintingData

SAME = (
    "network", "data", "seed", "epochs", "lr", "weight_decay",
    "trainer.max_epochs", "trainer.limit_train_batches",  # lengths of the one-cycle schedule
)  # fmt: skip
"""Keys that a resumed training must have in common with its checkpoint."""
FREE = ("data.root", "data.source.root", "data.source.extra", "data.workers", "data.packed")
"""Keys among them that may differ: a data folder may move."""


def main() -> None:
    """Run the command."""
    run_command("train_pose", run)


def run(config: DictConfig) -> float:
    """Train as configured and return the best validation PCK@0.2, in [0, 1].

    Raises:
        InputError: A setting or an input file can't be used; nothing is written.
    """
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint

    from pose_inpaint import build
    from pose_inpaint.data.inspection import warn_few
    from pose_inpaint.data.joints import JOINTS
    from pose_inpaint.evaluation.pose_accuracy import describe_accuracy, measure_accuracy
    from pose_inpaint.pose.hourglass import HourglassEstimator
    from pose_inpaint.pose.hourglass_network import StackedHourglass
    from pose_inpaint.pose.lightning_module import PoseModule
    from pose_inpaint.runtime.devices import explained_memory
    from pose_inpaint.runtime.files import remove_parts
    from pose_inpaint.tracking.files import CHECKPOINTS, LAST, SCORES
    from pose_inpaint.tracking.history import HistoryLogger
    from pose_inpaint.tracking.lock import locked
    from pose_inpaint.tracking.provenance import describe_run, write_json, write_records
    from pose_inpaint.tracking.session import recorded
    from pose_inpaint.training.callbacks.checkpoints import last_checkpoint
    from pose_inpaint.training.trainer import build_trainer, quieten

    quieten()
    settings = read_settings(config, TrainPoseSettings)
    plain = plain_config(config)
    folder = Path(settings.run_dir)
    last = folder / CHECKPOINTS / LAST
    resumed = settings.resume is not None and last.is_file()
    if (folder / CHECKPOINTS).exists() and settings.resume is None:
        raise InputError(
            f"hydra.run.dir={folder}: holds a run already; choose another folder, or continue with resume=auto"
        )
    _check(settings)
    resumed_at = _check_same(last, plain) if resumed else None
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    splits = ["train", "val", *(["test"] if data.source.has("test") else [])]
    for split in splits:
        _check_joints(data, split)
    inspections = data.inspect(*splits)
    network = StackedHourglass(len(JOINTS), **vars(settings.network))
    with torch.no_grad():
        network.eval()(
            torch.zeros(1, 3, settings.data.size, settings.data.size)
        )  # refuses an image size that can't be halved so often
    data.check_batch_size()
    module = PoseModule(network.train(), settings.lr, settings.weight_decay, vars(settings.network), plain)
    best = ModelCheckpoint(
        folder / CHECKPOINTS, "best", monitor="val/pck", mode="max", save_top_k=1, save_on_train_epoch_end=True,
        enable_version_counter=False,
    )  # fmt: skip
    loggers: list[Any] = [HistoryLogger(folder, resumed_at), *build.build_loggers(settings.logger)]
    trainer = build_trainer(
        settings.trainer, settings.run_dir, settings.epochs, [best, last_checkpoint(last.parent)], loggers
    )
    records = describe_run(plain, inspections, str(trainer.strategy.root_device), None)
    with locked(folder, command="train_pose"):
        with (
            recorded(trainer.loggers, {**plain, "run": records}),
            explained_memory(
                "give a smaller data.batch_size, data.size or network.width, or free memory and continue with "
                "resume=auto"
            ),
        ):
            for path in (folder, last.parent):
                remove_parts(path)
            write_records(folder, plain, records)
            trainer.fit(module, data, ckpt_path=str(last) if resumed else None, weights_only=True)
        if "test" in splits and trainer.is_global_zero:
            weights = best.best_model_path or str(last)
            estimator = HourglassEstimator(weights, device=trainer.strategy.root_device)
            accuracy = measure_accuracy(estimator, data.split_dataloader("test"), settings.seed)
            write_json(folder / SCORES, {"split": "test", "estimator": estimator.name, **accuracy})
            n = len(data.images("test"))
            print(f"\nDone: {folder}\nTest split, n {n}: {describe_accuracy(accuracy)}")
            warn_few("test", n)
            print(f"Use it: pose=hourglass pose.weights={weights}")
    return math.nan if best.best_model_score is None else float(best.best_model_score)


def _check(settings: TrainPoseSettings) -> None:
    from pose_inpaint.runtime.ranks import devices_wanted, rank_count

    if devices_wanted(settings.trainer) > 1 or rank_count() > 1:
        raise InputError(
            f"trainer.devices={settings.trainer.get('devices')}: pose estimators are trained on one device; set it to 1"
        )


def _check_same(last: Path, config: dict[str, Any]) -> int:
    """Return the steps of a checkpoint; raise `InputError` if its network, data or length of training are others."""
    from pose_inpaint.config.differences import check_same_settings
    from pose_inpaint.runtime.torch_file import read_whole

    content = read_whole(last, "resume")
    check_same_settings(content["pose_inpaint_pose"]["config"], config, f"resume={last}", SAME, FREE)
    return int(content["global_step"])


def _check_joints(data: InpaintingData, split: str) -> None:
    """Raise `InputError` unless every image has joints."""
    lacking = [record.name for record in data.images(split).records if record.joints is None]
    if lacking:
        raise InputError(
            f"{split}: {lacking[0]} and {len(lacking) - 1} more images have no joints; list them in joints.json, or "
            "exclude them with data.names=PATTERN"
        )


if __name__ == "__main__":
    main()
