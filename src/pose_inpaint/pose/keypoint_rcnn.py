"""Torchvision's Keypoint R-CNN (He et al. 2017, https://arxiv.org/abs/1703.06870), trained on people in COCO."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn
from torchvision.ops import box_iou

from pose_inpaint.data.joints import to_common
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.pose.estimator import Poses, join, nobody

COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


class KeypointRCNN:
    """Pose estimation by torchvision's Keypoint R-CNN; raises `InputError` for unusable weights or arguments.

    Args:
        weights: File of torchvision's weights (`keypointrcnn_resnet50_fpn_coco-fc266e95.pth`); downloaded by
            torchvision if not given.
        min_confidence: Minimum score for a person to count as found, in (0, 1).
        device: Device to compute on.
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
            reason = str(error).splitlines()[-1].strip()[:120]
            raise InputError(f"pose.weights={weights}: not weights of Keypoint R-CNN ({reason})") from error
        self.network.to(device)
        self.device, self.min_confidence = torch.device(device), min_confidence
        digest = hashlib.sha256()
        for value in state.values():
            digest.update(value.contiguous().numpy().tobytes())
        self.name = f"keypoint_rcnn {digest.hexdigest()[:8]} ({min_confidence:g})"

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Estimate the most confident person or, with `near`, the one whose box overlaps most with that pose's."""
        with torch.no_grad():
            detections = self.network(list(images.float().to(self.device)))
        return join([self._choose(people, near[i] if near else None) for i, people in enumerate(detections)])

    def _choose(self, people: Mapping[str, Tensor], near: Poses | None) -> Poses:
        people = {key: value.cpu() for key, value in people.items()}
        index = choose_person(people["boxes"], people["scores"], self.min_confidence, near)
        if index is None:
            return nobody()
        confidence = people["keypoints_scores"][index].sigmoid()[:, None]
        joints = to_common(COCO_JOINTS, torch.cat([people["keypoints"][index, :, :2], confidence], dim=1))
        corners = people["boxes"][index].take(torch.tensor([[0, 1], [2, 1], [0, 3]]))  # of left, top, right, bottom
        return Poses(joints[None], torch.ones(1, dtype=torch.bool), corners[None])


def choose_person(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"], least: float, near: Poses | None
) -> int | None:
    """Index of the most confident person or, with `near`, of the one whose box overlaps most with it; None if none."""
    confident = (scores >= least).nonzero()[:, 0]
    if not len(confident):
        return None
    if near is None or not bool(near.found[0]):
        return int(confident[scores[confident].argmax()])
    origin, right, down = near.squares[0]
    overlaps = box_iou(torch.stack([*origin, right[0], down[1]])[None], boxes[confident])[0]
    return int(confident[overlaps.argmax()]) if overlaps.max() > 0 else None


def read_state(weights: str | None) -> Mapping[str, Tensor]:
    """Read or download the network's weights; raise `InputError` if they can't be."""
    if weights is None:
        try:
            return dict(KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.get_state_dict(progress=True, check_hash=True))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"pose.weights is missing, and torchvision could not download COCO's ({error}); give pose.weights=FILE "
                "(keypointrcnn_resnet50_fpn_coco-fc266e95.pth), or choose pose=blazepose"
            ) from error
    try:
        return dict(torch.load(Path(weights), map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        reason = first_line(error)[:120]
        raise InputError(f"pose.weights={weights}: can't be read ({reason}); give a file of PyTorch weights") from error
