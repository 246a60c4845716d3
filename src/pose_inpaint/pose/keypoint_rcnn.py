"""Keypoint R-CNN (He et al. 2017, https://arxiv.org/abs/1703.06870) by torchvision, trained on COCO's people."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn
from torchvision.ops import box_iou

from pose_inpaint.data.joints import to_common
from pose_inpaint.errors import InputError
from pose_inpaint.pose.estimator import Poses, join, nobody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


class KeypointRCNN:
    """The surest person that torchvision's Keypoint R-CNN finds.

    Args:
        weights: a file of torchvision's weights (`keypointrcnn_resnet50_fpn_coco-fc266e95.pth`); torchvision
            downloads it if not given.
        min_confidence: least score of a person to be found.
        device: where to compute.

    Raises:
        InputError: the weights are not to be had, or an argument is out of range.
    """

    joint_names = COCO_JOINTS

    def __init__(
        self, weights: str | None = None, min_confidence: float = 0.5, device: torch.device | str = "cpu"
    ) -> None:
        if not 0 < min_confidence < 1:
            raise InputError(f"pose.estimator.min_confidence={min_confidence}: must be in (0, 1)")
        state = read_state(weights)
        self.network = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None).eval()
        try:
            self.network.load_state_dict(state)
        except RuntimeError as error:
            raise InputError(
                f"pose.weights={weights}: not weights of Keypoint R-CNN ({str(error).splitlines()[-1].strip()[:120]})"
            ) from error
        self.network.to(device)
        self.device, self.min_confidence = torch.device(device), min_confidence
        digest = hashlib.sha256()
        for value in state.values():
            digest.update(value.contiguous().numpy().tobytes())
        self.name = f"keypoint_rcnn {digest.hexdigest()[:8]} ({min_confidence:g})"

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Finds the surest person of each image or, with `near`, the one whose box overlaps most with that one's."""
        with torch.no_grad():
            found = self.network(list(images.float().to(self.device)))
        given = [None] * len(found) if near is None else [near[place] for place in range(len(found))]
        return join([self._choose(people, one) for people, one in zip(found, given, strict=True)])

    def _choose(self, people: Mapping[str, Tensor], near: Poses | None) -> Poses:
        people = {key: value.cpu() for key, value in people.items()}
        place = choose_person(people["boxes"], people["scores"], self.min_confidence, near)
        if place is None:
            return nobody()
        confidence = people["keypoints_scores"][place].sigmoid()[:, None]
        joints = to_common(COCO_JOINTS, torch.cat([people["keypoints"][place, :, :2], confidence], dim=1))
        left, top, right, bottom = people["boxes"][place].tolist()
        corners = torch.tensor([[left, top], [right, top], [left, bottom]])
        return Poses(joints[None], torch.ones(1, dtype=torch.bool), corners[None])


def choose_person(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], least: float, near: Poses | None
) -> int | None:
    """The place of the surest person or, with `near`, of the one whose box overlaps most with that one's."""
    sure = (scores >= least).nonzero()[:, 0]
    if not len(sure):
        return None
    if near is None or not bool(near.found[0]):
        return int(sure[scores[sure].argmax()])
    origin, right, down = near.squares[0]
    box = torch.stack([origin[0], origin[1], right[0], down[1]])
    overlaps = box_iou(box[None], boxes[sure])[0]
    return int(sure[overlaps.argmax()]) if overlaps.max() > 0 else None


def read_state(weights: str | None) -> Mapping[str, Tensor]:
    """The network's weights.

    Raises:
        InputError: they can't be downloaded or read.
    """
    if weights is None:
        try:
            return dict(KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.get_state_dict(progress=True, check_hash=True))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"pose.weights is missing, and torchvision could not download COCO's ({error}); give pose.weights=FILE "
                "(keypointrcnn_resnet50_fpn_coco-fc266e95.pth), or choose pose=blazepose"
            ) from error
    try:
        state: Mapping[str, Tensor] = torch.load(Path(weights), map_location="cpu", weights_only=True)
        return dict(state)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"pose.weights={weights}: can't be read ({reason}); give a file of PyTorch weights") from error
