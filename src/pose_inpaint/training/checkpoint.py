"""Read checkpoints of `InpaintingModule`, and check that they fit a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pose_inpaint.config.differences import differing_keys, flat
from pose_inpaint.config.instantiate import build_network
from pose_inpaint.errors import InputError
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.tracking.checkpoint_file import read_whole
from pose_inpaint.training.lightning_module import CHECKPOINT_FORMAT, InpaintingModule


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
        """Digest of the file."""
        return file_digest(self.path)


def read_checkpoint(path: str | Path, key: str = "checkpoint") -> Checkpoint:
    """Read a checkpoint, which the setting `key` names, without running code from it.

    Raises:
        InputError: There is no such file, or it was not written by this version of the package.
    """
    path = Path(path)
    content = read_whole(path, key)
    try:
        ours, progress = content["pose_inpaint"], content.get("InpaintingData", {})
        version, epoch = ours["format"], progress.get("epoch", ours["epoch"] + 1)
        batches, images = progress.get("batches", 0), progress.get("images")
        found = Checkpoint(path, ours["config"], ours["phase"], epoch, content["state_dict"], batches, images)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{key}={path}: not a checkpoint of pose_inpaint; train one with python -m pose_inpaint.train"
        ) from error
    if version != CHECKPOINT_FORMAT:
        raise InputError(
            f"{key}={path}: format {version}, but this version reads {CHECKPOINT_FORMAT}; retrain or change version"
        )
    return found


def load_generator(checkpoint: Checkpoint) -> nn.Module:
    """Build the network of a checkpoint with its inference weights, in evaluation mode."""
    generator = build_network(checkpoint.config["model"])
    try:
        generator.load_state_dict(checkpoint.inference_weights)
    except RuntimeError as error:
        raise InputError(
            f"checkpoint={checkpoint.path}: its weights don't fit its model: {str(error).splitlines()[-1]}"
        ) from error
    return generator.eval()


def check_same_settings(
    checkpoint: Checkpoint, config: dict[str, Any], key: str, blocks: Sequence[str], free: Sequence[str] = ()
) -> None:
    """Raise `InputError`, naming the keys that differ, unless the blocks are the checkpoint's.

    Args:
        checkpoint: Checkpoint of another run.
        config: Configuration of this run.
        key: Setting that named the checkpoint.
        blocks: Keys of blocks or single values that must be the same.
        free: Full keys within the blocks that may differ.
    """
    old, new = flat(checkpoint.config), flat(config)
    keys = [key for key in differing_keys(old, new) if key not in free]
    keys = [key for key in keys if any(f"{key}.".startswith(f"{block}.") for block in blocks)]
    if keys:
        theirs, ours = (", ".join(f"{key}={settings.get(key)}" for key in keys) for settings in (old, new))
        raise InputError(f"{key}={checkpoint.path}: made with {theirs}, but this run has {ours}; give the same")


def load_weights(module: InpaintingModule, checkpoint: Checkpoint) -> None:
    """Load the generator's weights and, where both discriminators have the same settings, the discriminator's."""
    module.generator.load_state_dict(checkpoint.inference_weights)
    if module.ema is not None:
        module.ema.module.load_state_dict(checkpoint.inference_weights)
    weights = checkpoint.weights("discriminator.")
    same = checkpoint.config.get("discriminator") == module.config.get("discriminator")
    if module.discriminator is not None and weights and same:
        module.discriminator.load_state_dict(weights)
