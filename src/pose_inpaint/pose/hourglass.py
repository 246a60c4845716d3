"""Pose estimator that uses a stacked hourglass trained by `pose_inpaint.train_pose`."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.data.joints import JOINTS
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.pose.estimator import Poses
from pose_inpaint.pose.heatmaps import find_joints
from pose_inpaint.pose.hourglass_network import STRIDE, StackedHourglass
from pose_inpaint.runtime.hashing import file_digest

HOURGLASS_FORMAT = 2
PREFIX = "network."


class HourglassEstimator:
    """Pose estimation by a stacked hourglass on the whole image.

    Args:
        weights: Checkpoint of `python -m pose_inpaint.train_pose`.
        min_confidence: Minimum mean confidence of the joints for a person to count as found, in (0, 1).
        device: Device to compute on.

    Raises:
        InputError: The checkpoint can't be loaded, or an argument is out of range.
    """

    joint_names = JOINTS

    def __init__(self, weights: str | None, min_confidence: float = 0.05, device: torch.device | str = "cpu") -> None:
        if not 0 < min_confidence < 1:
            raise InputError(f"pose.estimator.min_confidence={min_confidence}: must be in (0, 1)")
        self.network = load_hourglass(weights).to(device)
        self.device, self.min_confidence = torch.device(device), min_confidence
        self.name = f"hourglass {file_digest(Path(weights or ''))[:8]} ({min_confidence:g})"

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Estimate the poses of a batch on the whole images; `near` is ignored."""
        with torch.no_grad():
            joints = find_joints(self.network(images.float().to(self.device))[:, -1], STRIDE).cpu()
        height, width = images.shape[-2:]
        whole = torch.tensor([[0.0, 0.0], [width, 0.0], [0.0, height]]).expand(len(joints), -1, -1)
        return Poses(joints, joints[..., 2].mean(1) >= self.min_confidence, whole)


def load_hourglass(weights: str | None) -> StackedHourglass:
    """Load the network of a checkpoint, in evaluation mode.

    Raises:
        InputError: No file is given, or it is not a checkpoint of `pose_inpaint.train_pose`.
    """
    if weights is None:
        raise InputError(
            "pose.weights is missing: give pose.weights=FILE, a checkpoint of python -m pose_inpaint.train_pose"
        )
    if not Path(weights).is_file():
        raise InputError(f"pose.weights={weights}: no such file; train one with python -m pose_inpaint.train_pose")
    try:
        content: dict[str, Any] = torch.load(weights, map_location="cpu", weights_only=True)
        ours = content["pose_inpaint_pose"]
        if ours["format"] != HOURGLASS_FORMAT:
            raise InputError(
                f"pose.weights={weights}: format {ours['format']}, but this version reads {HOURGLASS_FORMAT}; "
                "train one with python -m pose_inpaint.train_pose, or change version"
            )
        network = StackedHourglass(len(JOINTS), **ours["network"])
        state = content["state_dict"].items()
        network.load_state_dict({key.removeprefix(PREFIX): v for key, v in state if key.startswith(PREFIX)})
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, KeyError, TypeError) as error:
        reason = first_line(error)[:120]
        raise InputError(
            f"pose.weights={weights}: not a checkpoint of python -m pose_inpaint.train_pose ({reason})"
        ) from error
    return network.eval()
