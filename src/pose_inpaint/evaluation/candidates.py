"""Methods to score or apply: a checkpoint, a model without weights, or a folder of inpainted images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from torch import nn

from pose_inpaint import build
from pose_inpaint.config.schema import EvaluateSettings
from pose_inpaint.data.datamodule import InpaintingData
from pose_inpaint.errors import InputError
from pose_inpaint.evaluation.evaluator import InpaintFn, inpaint_fn
from pose_inpaint.evaluation.predictions import Predictions
from pose_inpaint.evaluation.scores_file import CheckpointRecord
from pose_inpaint.models.inference import ImageInpainter
from pose_inpaint.models.pretrained import Pretrained
from pose_inpaint.training.checkpoint import Checkpoint, load_for_inference, read_checkpoint
from pose_inpaint.types import Inpainter


@dataclass(frozen=True)
class Method:
    """Method to score."""

    name: str  # name in tables
    inpaint: InpaintFn  # function that inpaints a batch
    origin: dict[str, Any]  # fields of `ScoresFile` that identify the method
    network: nn.Module | None = None  # network that inpaints, or None
    size: int | None = None  # side in pixels of the images that it was trained on
    inpainter: Inpainter | None = None  # the network with its postprocess, which may run it several times


def choose_method(settings: EvaluateSettings, device: torch.device) -> Method:
    """Build the method that `checkpoint` or `model` selects; raise `InputError` as `choose_inpainter` does."""
    inpainter, checkpoint = choose_inpainter(settings.model, settings.checkpoint, device)
    processed = build.build_postprocess(settings.postprocess, inpainter)
    inpaint = inpaint_fn(processed, device, settings.seed)
    network = inpainter if isinstance(inpainter, nn.Module) else None
    if checkpoint is None:
        chosen = HydraConfig.get().runtime.choices.get("model") or "method"
        fields: dict[str, Any] = {"model": settings.model, "postprocess": settings.postprocess}
        size = None
        if isinstance(inpainter, Pretrained):
            release = inpainter.release
            size = release.config["data"]["size"]
            fields["checkpoint"] = CheckpointRecord(release.folder.name, release.sha256, "release")
        return Method(settings.name or str(chosen), inpaint, fields, network, size, processed)
    origin: dict[str, Any] = {
        "postprocess": settings.postprocess,
        "model": checkpoint.config["model"],
        "checkpoint": CheckpointRecord(checkpoint.path.name, checkpoint.sha256(), checkpoint.phase),
        "batchnorm": checkpoint.batchnorm,
    }
    name = settings.name or f"{checkpoint.config['name']}, {checkpoint.phase}"
    return Method(name, inpaint, origin, network, checkpoint.config["data"]["size"], processed)


def read_predictions(settings: EvaluateSettings, data: InpaintingData) -> Method:
    """Method that reads the inpainted images of a folder; raise `InputError` if they don't match the split."""
    folder = str(settings.predictions)
    predictions = Predictions(folder, data.images(settings.split).records, data.records(settings.split), data.resizing)
    name = Path(folder).resolve().name
    return Method(settings.name or name, predictions, {"predictions": name})


def build_image_inpainter(
    model: Mapping[str, Any] | None, checkpoint: str | None, postprocess: Mapping[str, Any], device: torch.device
) -> ImageInpainter:
    """Build the method that `checkpoint` or `model` selects, for images of any size; raise as `choose_inpainter`."""
    inpainter, read = choose_inpainter(model, checkpoint, device)
    trained = read or getattr(inpainter, "release", None)
    data: Mapping[str, Any] = trained.config["data"] if trained else {"size": getattr(inpainter, "learned", None)}
    inpainter = build.build_postprocess(postprocess, inpainter)
    return ImageInpainter(inpainter, data.get("size"), device, data.get("resize", "antialias"))


def choose_inpainter(
    model: Mapping[str, Any] | None, checkpoint: str | None, device: torch.device
) -> tuple[Inpainter, Checkpoint | None]:
    """Build the inpainter that `checkpoint` or `model` selects, on a device.

    Raises:
        InputError: Neither or both are given, or the model is a network without weights.
    """
    if (model is None) == (checkpoint is None):
        raise InputError(
            "give either checkpoint=PATH or model=pretrained|push_pull|mean|telea|navier_stokes|patchmatch|"
            "scene_completion|black|onnx" + (", not both" if model else "")
        )
    if checkpoint is not None:
        read = read_checkpoint(checkpoint)
        return load_for_inference(read).to(device), read
    inpainter = build.build_inpainter(model or {})
    if isinstance(inpainter, Pretrained):
        return inpainter.to(device), None
    if isinstance(inpainter, nn.Module):
        raise InputError("model: a network without weights can't inpaint; give checkpoint=PATH of a trained one")
    return inpainter, None
