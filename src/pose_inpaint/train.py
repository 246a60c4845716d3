"""`python -m pose_inpaint.train [+experiment=NAME] [key=value ...]`: trains, then scores the test split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger

from pose_inpaint import build
from pose_inpaint.baseline import compare_with_mean, score_split
from pose_inpaint.callbacks.checkpoints import BestOfPhase, last_checkpoint
from pose_inpaint.callbacks.collapse import CollapseGuard
from pose_inpaint.callbacks.samples import SampleSheet
from pose_inpaint.checkpoint import demand_same_model, load_generator, load_weights, read_checkpoint
from pose_inpaint.cli import run_command
from pose_inpaint.config import TrainSettings, plain_config, read_settings
from pose_inpaint.cost import describe_cost
from pose_inpaint.data.dataset import collate
from pose_inpaint.errors import InputError
from pose_inpaint.examples import write_examples
from pose_inpaint.logging_run import quieten, recorded
from pose_inpaint.provenance import describe_run, describe_scores, write_json, write_records
from pose_inpaint.rehearsal import demand_views, rehearse
from pose_inpaint.score_panels import log_scores
from pose_inpaint.scoring import completing

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from omegaconf import DictConfig

    from pose_inpaint.data.datamodule import InpaintingData
    from pose_inpaint.data.inspection import Inspection
    from pose_inpaint.lightning_module import InpaintingModule

CHECKPOINTS = "checkpoints"
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
    _refuse_used(folder, settings.resume)
    pl.seed_everything(settings.seed, workers=True, verbose=False)
    data = build.build_data(settings.data, settings.mask, settings.seed)
    module = build.build_module(settings, data, plain)
    _take_weights(settings, module, plain)
    splits = ["train", "val", *(["test"] if settings.test.enabled and data.source.has("test") else [])]
    inspections = data.inspect(*splits)
    data.train_dataloader()  # refuses a batch size that the split can't fill, before anything is written
    trainer = _make_trainer(settings, module, data, folder)
    demand_views(module, data)
    rehearse(module, data)
    records = describe_run(plain, inspections, str(trainer.strategy.root_device), _features(settings, module))
    with recorded(trainer.loggers, {**plain, "run": records}):
        _keep_history(folder)
        write_records(folder, plain, records)
        trainer.fit(module, data, ckpt_path=settings.resume, weights_only=True)
        best = _best(trainer, module)
        if "test" in splits and trainer.is_global_zero and not _is_blind(inspections):
            wanted = best if settings.test.checkpoint == "best" else None
            scored = _score_test(settings, data, inspections[-1], folder, wanted, trainer.strategy.root_device)
            log_scores(trainer.loggers, scored)
    return float(best.best_model_score) if best.best_model_score is not None else float("nan")


def _refuse_used(folder: Path, resume: str | None) -> None:
    """A run never writes over another one."""
    own = resume is not None and folder.resolve() in Path(resume).resolve().parents
    if (folder / CHECKPOINTS).exists() and not own:
        last = folder / CHECKPOINTS / "last.ckpt"
        message = f"hydra.run.dir={folder}: holds a run already; choose another folder, or resume={last}"
        raise InputError(message)


def _keep_history(folder: Path) -> None:
    """Puts the history of a run that goes on in its own folder aside, since Lightning begins it anew."""
    if (folder / "metrics.csv").exists():
        count = len(list(folder.glob("metrics*.csv")))
        (folder / "metrics.csv").rename(folder / f"metrics-before-resume-{count}.csv")


def _take_weights(settings: TrainSettings, module: InpaintingModule, plain: dict[str, Any]) -> None:
    if settings.resume is not None and settings.init_from is not None:
        message = "resume and init_from are both given; resume takes everything, init_from only weights: choose one"
        raise InputError(message)
    if settings.resume is not None:
        checkpoint = read_checkpoint(settings.resume, "resume")
        demand_same_model(checkpoint, plain, "resume", "model", "critic", "ema", "optim", "loss", "mask")
        epochs = min(module.schedule.epochs, settings.trainer.get("max_epochs") or module.schedule.epochs)
        if checkpoint.epoch >= epochs:
            message = (
                f"resume={settings.resume}: all {checkpoint.epoch} epochs are done; give the last phase of "
                "schedule.phases, or trainer.max_epochs, more epochs"
            )
            raise InputError(message)
    if settings.init_from is not None:
        checkpoint = read_checkpoint(settings.init_from, "init_from")
        demand_same_model(checkpoint, plain, "init_from", "model")
        load_weights(module, checkpoint)


def _make_trainer(settings: TrainSettings, module: InpaintingModule, data: InpaintingData, folder: Path) -> pl.Trainer:
    if settings.checkpoint.monitor not in settings.validation:
        message = f"checkpoint.monitor={settings.checkpoint.monitor}: not one of validation's {settings.validation}"
        raise InputError(message)
    if settings.test.checkpoint not in ("best", "last"):
        message = f"test.checkpoint={settings.test.checkpoint}: not one of best, last"
        raise InputError(message)
    if settings.samples.count < 1:
        message = f"samples.count={settings.samples.count}: must be at least 1"
        raise InputError(message)
    pictures = data.pictures("val")
    samples = collate([pictures[i] for i in range(min(settings.samples.count, len(pictures)))])
    phases = [phase.name for phase in module.schedule.phases]
    callbacks: list[pl.Callback] = [SampleSheet(folder, samples), CollapseGuard(**vars(settings.guard))]
    callbacks += [BestOfPhase(folder / CHECKPOINTS, phase, settings.checkpoint.monitor) for phase in phases]
    callbacks.append(last_checkpoint(folder / CHECKPOINTS))
    loggers: list[Logger] = [CSVLogger(folder, name="", version="")]
    if settings.logger.get("_target_"):
        loggers.append(build.build("logger", settings.logger))
    return build.build_trainer(settings.trainer, settings.run_dir, module.schedule.epochs, callbacks, loggers)


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
) -> dict[str, Any]:
    """Scores the chosen checkpoint and a mean fill on the test split, says what came out, and returns `scores.json`."""
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
    return record


if __name__ == "__main__":
    main()
