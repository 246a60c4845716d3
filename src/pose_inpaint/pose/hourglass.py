"""Pose estimator that uses a stacked hourglass trained by `pose_inpaint.train_pose`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.models.release import is_release, read_release
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.pose.heatmaps import find_joints
from pose_inpaint.pose.hourglass_network import STRIDE, StackedHourglass
from pose_inpaint.runtime.hashing import file_digest
from pose_inpaint.runtime.torch_file import read_whole

HOURGLASS_FORMAT = 2
CONTENT = "pose_inpaint_pose"
"""Key of what this package adds to a checkpoint of `train_pose`."""
PREFIX = "network."
PACKAGED = {name: Path(__file__).parent / "weights" / f"hourglass_{name.lower()}" for name in ("A", "B")}
"""Releases that come with the package, by name; each was trained on another half of the photos, with another seed."""
DEFAULT = "B"


@dataclass(frozen=True)
class HourglassWeights:
    """Weights of a stacked hourglass that were read and checked.

    Attributes:
        path: Checkpoint, or folder of a release.
        config: Configuration of the training; `network` has the settings of the network.
        state: State dict of the network, in single precision.
        sha256: Digest of the file of weights.
    """

    path: Path
    config: dict[str, Any]
    state: dict[str, Tensor]
    sha256: str

    @property
    def name(self) -> str:
        """Name for scores: that of a release, and the digest's first digits, so that no two weights share one."""
        named = f" {self.config['name']}" if is_release(self.path) else ""
        return f"hourglass{named} {self.sha256[:8]}"

    def network(self, key: str = "pose.weights") -> StackedHourglass:
        """Build the network with its weights, in evaluation mode; raise `InputError` if they don't fit its settings."""
        try:
            network = StackedHourglass(len(JOINTS), **self.config["network"])
            network.load_state_dict(self.state)
        except (RuntimeError, TypeError, KeyError) as error:
            reason = str(error).splitlines()[-1].strip()[:120]
            raise InputError(f"{key}={self.path}: its weights don't fit its network ({reason})") from error
        return network.eval()


class HourglassEstimator:
    """Pose estimation by a stacked hourglass on the whole image.

    Args:
        weights: "A" or "B", which come with the package, a checkpoint of `python -m pose_inpaint.train_pose`, or the
            folder of a release of one; B if not given.
        min_confidence: Minimum mean confidence of the joints for a person to count as found, in (0, 1).
        device: Device to compute on.

    Attributes:
        learned: Side in pixels of the square images that it was trained on, or None if unknown. It sees images as they
            are, so it finds little in those of another size.

    Raises:
        InputError: The weights can't be loaded, or an argument is out of range.
    """

    joint_names = JOINTS

    def __init__(
        self, weights: str | None = None, min_confidence: float = 0.05, device: torch.device | str = "cpu"
    ) -> None:
        if not 0 < min_confidence < 1:
            raise InputError(f"pose.estimator.min_confidence={min_confidence}: must be in (0, 1)")
        weights = weights or DEFAULT
        found = read_hourglass(PACKAGED.get(weights, weights))
        self.network = found.network().to(device)
        self.device, self.min_confidence = torch.device(device), min_confidence
        self.name = f"{found.name} ({min_confidence:g})"
        self.learned: int | None = found.config.get("data", {}).get("size")

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Estimate the poses of a batch on the whole images; `near` is ignored."""
        with torch.no_grad():
            joints = find_joints(self.network(images.float().to(self.device))[:, -1], STRIDE).cpu()
        height, width = images.shape[-2:]
        whole = torch.tensor([[0.0, 0.0], [width, 0.0], [0.0, height]]).expand(len(joints), -1, -1)
        return Poses(joints, joints[..., 2].mean(1) >= self.min_confidence, whole)


def read_hourglass(path: str | Path, key: str = "pose.weights") -> HourglassWeights:
    """Read a checkpoint of `python -m pose_inpaint.train_pose`, or the folder of a release of one.

    Args:
        path: Checkpoint, folder, or repository of the hub, `hf://OWNER/NAME`.
        key: Setting that named it, for messages.

    Raises:
        InputError: It is missing or damaged, or holds something else.
    """
    if is_release(path):
        release = read_release(path, key, "pose")
        return HourglassWeights(release.folder, release.config, release.weights, release.sha256)
    path = Path(path)
    content = read_whole(path, key)
    try:
        ours, state = content[CONTENT], content["state_dict"]
        version = ours["format"]
        config = {**ours.get("config", {}), "network": ours["network"]} if version == HOURGLASS_FORMAT else {}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{key}={path}: not a checkpoint of python -m pose_inpaint.train_pose ({first_line(error)[:120]})"
        ) from error
    if version != HOURGLASS_FORMAT:
        raise InputError(
            f"{key}={path}: format {version}, but this version reads {HOURGLASS_FORMAT}; train one with python -m "
            "pose_inpaint.train_pose, or change version"
        )
    network = {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    return HourglassWeights(path, config, network, file_digest(path))
