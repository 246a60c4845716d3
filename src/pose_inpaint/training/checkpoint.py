"""Read checkpoints of `InpaintingModule`, and check that they fit a run."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pose_inpaint.config.instantiate import load_network
from pose_inpaint.errors import InputError
from pose_inpaint.models.release import WEIGHTS, Release, find_release, is_release, read_release
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.runtime.torch_file import read_whole
from pose_inpaint.training.lightning_module import CHECKPOINT_FORMAT, InpaintingModule

INITIAL = ("model.init", "discriminator.init")
"""Keys of the initial weights, which don't matter where a checkpoint replaces them."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of `InpaintingModule` that was read and checked."""

    path: Path  # file of the checkpoint
    config: dict[str, Any]  # resolved configuration of the run that wrote it
    phase: str  # phase of training in which it was written
    epoch: int  # number of finished epochs
    state: dict[str, Tensor]  # state dict of the module
    batches: int = 0  # number of batches done of the unfinished epoch
    images: int | None = None  # images per step over all devices; None if no training step was taken
    seconds: float = 0.0  # duration of training, over all starts; 0 for a release
    batchnorm: str = "recalibrated"  # batch-norm statistics: "recalibrated" for these weights, or "running"

    @property
    def batches_seen(self) -> int:
        """Batches trained on since the run began."""
        return int(self.state["batches_seen"])

    @property
    def inference_weights(self) -> dict[str, Tensor]:
        """Weights for inference: the generator's moving average, or the generator's own without one."""
        return self.weights("ema.module.") or self.weights("generator.")

    def weights(self, prefix: str) -> dict[str, Tensor]:
        """Weights of one network, whose keys in the module's state have a prefix."""
        return {key.removeprefix(prefix): value for key, value in self.state.items() if key.startswith(prefix)}

    def sha256(self) -> str:
        """Digest of the file of weights."""
        return file_digest(self.path / WEIGHTS if is_release(self.path) else self.path)


def read_checkpoint(path: str | Path, key: str = "checkpoint") -> Checkpoint:
    """Read a checkpoint or a release, which the setting `key` names, without running code from it.

    Raises:
        InputError: There is no such file, or it was not written by this version of the package.
    """
    path = find_release(path)
    if is_release(path):
        return _of_release(read_release(path, key))
    path = Path(path)
    content = read_whole(path, key)
    try:
        ours, progress = content["pose_inpaint"], content.get("InpaintingData", {})
        version, epoch = ours["format"], progress.get("epoch", ours["epoch"] + 1)
        batches, images, seconds = progress.get("batches", 0), progress.get("images"), ours.get("seconds", 0.0)
        config = ours["config"]
        batchnorm = ours.get("batchnorm", config["batchnorm"]["statistics"])
        found = Checkpoint(
            path, config, ours["phase"], epoch, content["state_dict"], batches, images, seconds, batchnorm
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{key}={path}: not a checkpoint of pose_inpaint; train one with python -m pose_inpaint.train"
        ) from error
    if version != CHECKPOINT_FORMAT:
        raise InputError(
            f"{key}={path}: format {version}, but this version reads {CHECKPOINT_FORMAT}; retrain or change version"
        )
    return found


def _of_release(release: Release) -> Checkpoint:
    """Released weights as a checkpoint that has nothing else to resume from."""
    state = {f"generator.{name}": value for name, value in release.weights.items()}
    statistics = release.config["batchnorm"]["statistics"]
    return Checkpoint(release.folder, release.config, "release", 0, state, batchnorm=statistics)


def load_generator(checkpoint: Checkpoint) -> nn.Module:
    """Build the network of a checkpoint with its inference weights, in evaluation mode."""
    return load_network(checkpoint.config["model"], checkpoint.inference_weights, f"checkpoint={checkpoint.path}")


def load_for_inference(checkpoint: Checkpoint) -> nn.Module:
    """Call `load_generator`; warn if the batch-norm statistics are not those that the training would score with."""
    network = load_generator(checkpoint)
    stale = checkpoint.batchnorm != checkpoint.config["batchnorm"]["statistics"]
    if stale and any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
        print(
            f"warning: {checkpoint.path}: written inside an epoch, so its batch-norm statistics lag behind the weights "
            "and its output is worse than it need be; give best-PHASE.ckpt, or continue the training to the end of the "
            "epoch",
            file=sys.stderr,
        )
    return network


def load_weights(module: InpaintingModule, checkpoint: Checkpoint) -> None:
    """Load the generator's weights and, where both discriminators have the same settings, the discriminator's."""
    module.generator.load_state_dict(checkpoint.inference_weights)
    if module.ema is not None:
        module.ema.module.load_state_dict(checkpoint.inference_weights)
    weights = checkpoint.weights("discriminator.")
    old, new = ({**(config.get("discriminator") or {}), "init": None} for config in (checkpoint.config, module.config))
    if module.discriminator is not None and weights and old == new:
        module.discriminator.load_state_dict(weights)
