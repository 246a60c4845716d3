"""`python -m pose_inpaint.train [+experiment=NAME] [key=value ...]`: trains, then scores the test split."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from hydra.core.hydra_config import HydraConfig

from pose_inpaint import build
from pose_inpaint.baseline import compare_with_mean, score_split
from pose_inpaint.callbacks.checkpoints import BestOfPhase, last_checkpoint
from pose_inpaint.callbacks.progress import ProgressKeeper
from pose_inpaint.callbacks.samples import SampleSheet
from pose_inpaint.checkpoint import demand_same_settings, load_generator, load_weights, read_checkpoint
from pose_inpaint.cli import run_command
from pose_inpaint.config import TrainSettings, plain_config, read_settings
from pose_inpaint.cost import describe_cost
from pose_inpaint.data.dataset import collate
from pose_inpaint.errors import InputError
from pose_inpaint.examples import write_examples
from pose_inpaint.files import remove_parts
from pose_inpaint.history import history_logger
from pose_inpaint.logging_run import quieten, recorded
from pose_inpaint.overrides import as_value, key_of
from pose_inpaint.provenance import describe_run, describe_scores, write_json, write_records
from pose_inpaint.ranks import (
    LostRankError,
    devices_wanted,
    end_with_parent,
    must_start_ranks,
    run_ranks,
    started_here,
    this_rank,
)
from pose_inpaint.rehearsal import demand_views, rehearse
from pose_inpaint.resuming import CHECKPOINTS, LAST, find_resumption
from pose_inpaint.run_lock import locked
from pose_inpaint.scoring import completing
from pose_inpaint.stopping import ending_by_request
from pose_inpaint.trainer import build_trainer, check_devices

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from omegaconf import DictConfig

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.lightning_module import InpaintingModule
    from pose_inpaint.resuming import Resumption

EXAMPLES = 8  # test pictures kept in full, as evaluate keeps them


def main() -> None:
    """The command."""
    run_command("train", run)


def run(config: DictConfig) -> float:
    """Trains as configured and returns the best validation score of the last phase (for sweeps).

    Raises:
        InputError: something that the user gave can't be used; nothing is written then.
    """
    quieten()
    settings = read_settings(config, TrainSettings)
    plain = plain_config(config)
    folder = Path(settings.run_dir)
    check_devices(settings.trainer)
    if must_start_ranks(settings.trainer):
        return _train_in_ranks(settings, folder)
    if started_here():
        end_with_parent()
    with ending_by_request(folder / CHECKPOINTS / LAST, "outside the training"):
        return _train(settings, plain, folder)


def _train_in_ranks(settings: TrainSettings, folder: Path) -> float:
    """Starts a process for each device, each with the settings of this one, and waits for their end."""
    given = HydraConfig.get().overrides
    ours = [override for override in given.hydra if key_of(override).split(".")[1:2] not in (["run"], ["mode"])]
    command = [sys.executable, "-m", "pose_inpaint.train", *given.task, *ours, f"hydra.run.dir={as_value(str(folder))}"]
    status = run_ranks(command, devices_wanted(settings.trainer))
    if status != 0:
        raise SystemExit(status)
    return float("nan")


def _train(settings: TrainSettings, plain: dict[str, Any], folder: Path) -> float:
    _check(settings)
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    module = build.build_module(settings, data, plain)
    epochs = min(module.schedule.epochs, settings.trainer.get("max_epochs") or module.schedule.epochs)
    resumption = find_resumption(settings.resume, folder, plain, epochs)
    _take_weights(settings, module, plain)
    splits = ["train", "val", *(["test"] if settings.test.enabled and data.source.has("test") else [])]
    inspections = data.inspect(*splits)
    data.train_dataloader()  # refuses a batch size that the split can't fill, before anything is written
    with locked(folder) if this_rank() == 0 else nullcontext():
        trainer = _make_trainer(settings, module, data, folder, resumption)
        demand_views(module, data)
        rehearse(module, data)
        records = describe_run(plain, inspections, str(trainer.strategy.root_device), _features(settings, module))
        with recorded(trainer.loggers, {**plain, "run": records}):
            if trainer.is_global_zero:
                _say_batch(settings, trainer.world_size, module.lr_factor)
                _write_records(folder, plain, records, resumption, epochs)
            _fit(trainer, module, data, resumption)
            best = _best(trainer, module)
            if "test" in splits and trainer.is_global_zero and not _is_blind(inspections):
                wanted = best if settings.test.checkpoint == "best" else None
                _score_test(settings, data, inspections[-1], folder, wanted, trainer.strategy.root_device)
    return float(best.best_model_score) if best.best_model_score is not None else float("nan")


def _say_batch(settings: TrainSettings, ranks: int, factor: float) -> None:
    """Says what many devices change about a step."""
    if ranks > 1:
        batch, optim = settings.data.batch_size, settings.optim
        print(
            f"{ranks} devices x data.batch_size={batch} = {ranks * batch} pictures a step; optim.lr={optim.lr:g} x "
            f"{factor:g} = {optim.lr * factor:g} (optim.lr_rule={optim.lr_rule})",
            flush=True,
        )


def _write_records(
    folder: Path, plain: dict[str, Any], records: dict[str, Any], resumption: Resumption | None, epochs: int
) -> None:
    """Writes what repeats the run; of one that is resumed in its folder also how often it was, and at which batch."""
    resumed: list[int] = []
    if resumption is not None:
        print(resumption.describe(epochs), flush=True)
        before = folder / "run.json"
        if resumption.same_folder and before.is_file():
            resumed = json.loads(before.read_text(encoding="utf-8")).get("resumed_at_batch", [])
        resumed.append(resumption.checkpoint.batches_seen)
    for place in (folder, folder / CHECKPOINTS):
        remove_parts(place)
    write_records(folder, plain, {**records, "resumed_at_batch": resumed})


def _fit(trainer: pl.Trainer, module: InpaintingModule, data: InpaintingData, resumption: Resumption | None) -> None:
    """Trains.

    Raises:
        InputError: a file can't be written.
        LostRankError: another rank ended.
    """
    checkpoint = str(resumption.checkpoint.path) if resumption is not None else None
    try:
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except OSError as error:
        message = f"hydra.run.dir={trainer.default_root_dir}: {error}; once that is mended, go on with resume=auto"
        raise InputError(message) from error
    except RuntimeError as error:
        lost = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
        if trainer.world_size > 1 and lost:
            raise LostRankError(str(error).splitlines()[0]) from error
        raise


def _take_weights(settings: TrainSettings, module: InpaintingModule, plain: dict[str, Any]) -> None:
    if settings.init_from is not None:
        checkpoint = read_checkpoint(settings.init_from, "init_from")
        demand_same_settings(checkpoint, plain, "init_from", ["model"])
        load_weights(module, checkpoint)


def _check(settings: TrainSettings) -> None:
    """Refuses what is used late in a run only, and what can't be together."""
    if settings.resume is not None and settings.init_from is not None:
        message = "resume and init_from are both given; resume takes everything, init_from only weights: choose one"
        raise InputError(message)
    if settings.checkpoint.monitor not in settings.validation:
        message = f"checkpoint.monitor={settings.checkpoint.monitor}: not one of validation's {settings.validation}"
        raise InputError(message)
    if settings.checkpoint.every_minutes is not None and not settings.checkpoint.every_minutes >= 0:
        message = f"checkpoint.every_minutes={settings.checkpoint.every_minutes}: must be at least 0, or null for none"
        raise InputError(message)
    if settings.test.checkpoint not in ("best", "last"):
        message = f"test.checkpoint={settings.test.checkpoint}: not one of best, last"
        raise InputError(message)
    if settings.samples.count < 1:
        message = f"samples.count={settings.samples.count}: must be at least 1"
        raise InputError(message)


def _make_trainer(
    settings: TrainSettings,
    module: InpaintingModule,
    data: InpaintingData,
    folder: Path,
    resumption: Resumption | None,
) -> pl.Trainer:
    pictures = data.pictures("val")
    samples = collate([pictures[i] for i in range(min(settings.samples.count, len(pictures)))])
    phases = [phase.name for phase in module.schedule.phases]
    callbacks: list[pl.Callback] = [
        SampleSheet(folder, samples),
        ProgressKeeper(folder / CHECKPOINTS / LAST, settings.checkpoint.every_minutes),
    ]
    callbacks += [BestOfPhase(folder / CHECKPOINTS, phase, settings.checkpoint.monitor) for phase in phases]
    callbacks.append(last_checkpoint(folder / CHECKPOINTS))
    own = resumption is not None and resumption.same_folder and this_rank() == 0  # one rank writes
    loggers: list[Logger] = [history_logger(folder, resumption.checkpoint.batches_seen if own and resumption else None)]
    if settings.logger.get("_target_"):
        loggers.append(build.build("logger", settings.logger))
    return build_trainer(settings.trainer, settings.run_dir, module.schedule.epochs, callbacks, loggers)


def _features(settings: TrainSettings, module: InpaintingModule) -> str | None:
    """The perceptual term's weights, by name, if one counts."""
    features = settings.loss.features
    return features.weights if features is not None and "perceptual" in module.generator_loss.terms else None


def _is_blind(inspections: list[Inspection]) -> bool:
    return any(found.blind for found in inspections if found.split == "test")


def _best(trainer: pl.Trainer, module: InpaintingModule) -> BestOfPhase:
    last_phase = module.schedule.phases[-1].name
    return next(c for c in trainer.callbacks if isinstance(c, BestOfPhase) and c.phase == last_phase)  # type: ignore[attr-defined]


def _score_test(
    settings: TrainSettings,
    data: InpaintingData,
    inspection: Inspection,
    folder: Path,
    best: BestOfPhase | None,
    device: torch.device,
) -> None:
    """Scores the chosen checkpoint and a mean fill on the test split, and says in words what came out."""
    path = Path(best.best_model_path) if best and best.best_model_path else folder / CHECKPOINTS / "last.ckpt"
    checkpoint = read_checkpoint(path if path.is_file() else folder / CHECKPOINTS / "last.ckpt")
    generator = load_generator(checkpoint).to(device)
    scores = score_split(generator, data, "test", settings.metric, device, settings.seed)
    summary = scores.summary((0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0))
    summary["cost"] = describe_cost(scores.meter, generator, settings.data.size, settings.data.batch_size)
    words, mean = compare_with_mean(scores, data, "test", settings.metric, settings.seed)
    origin = {
        "model": settings.model,
        "checkpoint": {"file": path.name, "sha256": checkpoint.sha256(), "phase": checkpoint.phase},
        "batchnorm": settings.batchnorm.statistics,
        "metric": settings.metric,
        "mean_fill": mean,
    }
    record = describe_scores(
        settings.name, "test", settings.data.root, inspection, settings.seed, origin, None, summary
    )
    write_json(folder / "scores.json", record)
    scores.write_csv(folder / "scores.csv")
    complete = completing(generator, device, settings.seed)
    write_examples(complete, data.pictures("test"), EXAMPLES, device, str(folder))
    print(
        f"\nDone: {folder}\n{words}\nLook at {folder / 'samples.png'}: input, the network's raw picture, the "
        f"composite, the original.\nAll scores are in {folder / 'scores.json'}, the losses in "
        f"{folder / 'metrics.csv'}, the weights in {checkpoint.path}."
    )


if __name__ == "__main__":
    main()
