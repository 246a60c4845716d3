"""Checkpoints: what is read from them, and the refusal of what does not fit."""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pose_inpaint.build import build_network
from pose_inpaint.errors import InputError
from pose_inpaint.files import file_digest
from pose_inpaint.lightning_module import CHECKPOINT_FORMAT

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pose_inpaint.lightning_module import InpaintingModule

EMA_PREFIX = "ema.module."
GENERATOR_PREFIX = "generator."


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of `InpaintingModule`, read and found sound.

    Attributes:
        path: the file.
        config: the resolved configuration of the run that wrote it.
        phase: the phase of training it was written in.
        epoch: epochs finished.
        state: the module's weights.
    """

    path: Path
    config: dict[str, Any]
    phase: str
    epoch: int
    state: dict[str, Tensor]

    @property
    def released(self) -> dict[str, Tensor]:
        """The weights to use: the generator's moving average, or the generator's own where there is none."""
        prefix = EMA_PREFIX if any(key.startswith(EMA_PREFIX) for key in self.state) else GENERATOR_PREFIX
        return {key.removeprefix(prefix): value for key, value in self.state.items() if key.startswith(prefix)}

    def sha256(self) -> str:
        """Digest of the file."""
        return file_digest(self.path)


def read_checkpoint(path: str | Path, key: str = "checkpoint") -> Checkpoint:
    """Reads a checkpoint without running code from it.

    Args:
        path: the file.
        key: the setting that named it, for messages.

    Raises:
        InputError: there is no such file, or it is not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        message = f"{key}={path}: no such file; give a checkpoint (*.ckpt) of a run"
        raise InputError(message)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        ours = content["pose_inpaint"]
        found = Checkpoint(path, ours["config"], ours["phase"], ours["epoch"] + 1, content["state_dict"])
        version = ours["format"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError) as error:
        message = f"{key}={path}: not a whole PyTorch checkpoint ({str(error).splitlines()[0][:120]})"
        raise InputError(message) from error
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        message = f"{key}={path}: not a checkpoint of pose_inpaint; train one with python -m pose_inpaint.train"
        raise InputError(message) from error
    if version != CHECKPOINT_FORMAT:
        message = (
            f"{key}={path}: format {version}, but this version reads {CHECKPOINT_FORMAT}; retrain or change version"
        )
        raise InputError(message)
    return found


def load_generator(checkpoint: Checkpoint) -> nn.Module:
    """The network of a checkpoint with its released weights, in evaluation mode."""
    generator = build_network(checkpoint.config["model"])
    try:
        generator.load_state_dict(checkpoint.released)
    except RuntimeError as error:
        message = f"checkpoint={checkpoint.path}: its weights don't fit its model: {str(error).splitlines()[-1]}"
        raise InputError(message) from error
    return generator.eval()


def demand_same_model(checkpoint: Checkpoint, config: dict[str, Any], key: str, *blocks: str) -> None:
    """Raises `InputError`, naming the keys that differ, unless the blocks are the checkpoint's."""
    for block in blocks:
        old, new = checkpoint.config.get(block) or {}, config.get(block) or {}
        differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if differing:
            name = differing[0]
            message = (
                f"{key}={checkpoint.path}: made with {block}.{name}={old.get(name)}, but this run has "
                f"{block}.{name}={new.get(name)}; give the same"
            )
            raise InputError(message)


def load_weights(module: InpaintingModule, checkpoint: Checkpoint) -> None:
    """`init_from`: takes the released generator's weights and, where both have one of the same form, the critic's."""
    module.generator.load_state_dict(checkpoint.released)
    if module.ema is not None:
        module.ema.module.load_state_dict(checkpoint.released)
    critic = {key.removeprefix("critic."): v for key, v in checkpoint.state.items() if key.startswith("critic.")}
    if module.critic is not None and critic and checkpoint.config.get("critic") == module.config.get("critic"):
        module.critic.load_state_dict(critic)
