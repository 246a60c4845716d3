"""Inpaint a visitor's photo by every method that the demo compares."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from torch import Tensor

from pose_inpaint.api import Model, load
from pose_inpaint.data.images import resize, to_image, to_tensor
from pose_inpaint.data.joints import JOINTS
from pose_inpaint.data.masks import shrink
from pose_inpaint.errors import InputError
from pose_inpaint.pose.estimator import PoseEstimator
from pose_inpaint.web.photos import EVERYTHING, PAINT, to_shown

PHOTO, PAINTED, INPAINTED, RAW, POSE = "Photo", "Painted", "Inpainted", "Raw output", "Pose"

LIMBS = (
    ("right_ankle", "right_knee", "right_hip", "neck", "left_hip", "left_knee", "left_ankle"),
    ("right_wrist", "right_elbow", "right_shoulder", "neck", "left_shoulder", "left_elbow", "left_wrist"),
    ("neck", "head_top"),
)
"""Chains of joints that are drawn as lines."""


@dataclass(frozen=True)
class Restored:
    """A photo that was inpainted.

    Attributes:
        samples: Outputs at the photo's own resolution; known pixels are exactly the photo's.
        shown: Photo, mask, outputs and comparisons by caption, all of the size of `to_shown`.
        seconds: Computing time of each method by caption.
    """

    samples: list[Image.Image]
    shown: dict[str, Image.Image]
    seconds: dict[str, float]


class Restorer:
    """Inpaint photos with a model, and show what other methods make of them.

    Args:
        model: Model that inpaints photos at their own resolution.
        others: Other methods by caption; they see photos at the size at which they are shown.
        estimator: Pose estimator, or None.
    """

    def __init__(self, model: Model, others: dict[str, Model], estimator: PoseEstimator | None = None) -> None:
        self.model, self.others, self.estimator = model, others, estimator
        self.draws_samples = _draws_samples(model)

    def __call__(
        self, photo: Image.Image, painted: Bool[Tensor, "h w"], *, seed: int = 0, samples: int = 1, pose: bool = False
    ) -> Restored:
        """Inpaint a photo.

        Args:
            photo: RGB or RGBA photo.
            painted: Pixels to inpaint, (h, w).
            seed: Seed of methods that draw random numbers.
            samples: Number of outputs of the model.
            pose: Whether to draw the pose that is found in the first output.

        Raises:
            InputError: A method can't inpaint this photo.
        """
        small = to_shown(photo)
        masked = shrink(painted, small.height, small.width)
        if masked.all():
            raise InputError(EVERYTHING)
        seconds: dict[str, float] = {}
        started = time.perf_counter()
        outputs = self.model(photo, painted, seed=seed, samples=samples)
        seconds[INPAINTED] = time.perf_counter() - started
        outputs = outputs if isinstance(outputs, list) else [outputs]
        shown = {PHOTO: small, PAINTED: _paint(small, masked)}
        for i, output in enumerate(outputs, start=1):
            shown[f"Sample {i}" if samples > 1 else INPAINTED] = to_shown(output)
        # The network's own size, as in the challenge: at the photo's, it would see much more than it learned from.
        side = self.model.images.learned
        shown[RAW] = to_image(self.model.images.raw(to_tensor(small), masked, side, seed=seed)[0])
        for caption, other in self.others.items():
            started = time.perf_counter()
            shown[caption] = other(small, masked, seed=seed)
            seconds[caption] = time.perf_counter() - started
        if pose and self.estimator is not None:
            first = to_shown(outputs[0])
            joints = find_pose(first, self.estimator)
            shown[POSE] = first if joints is None else draw_pose(first, joints)
        return Restored(outputs, shown, seconds)


def find_pose(image: Image.Image, estimator: PoseEstimator) -> Float[Tensor, "14 3"] | None:
    """Find a pose in an image, at the size that the estimator learned if it has one; None if there is nobody.

    Returns:
        x and y in pixels of the image and confidence of each of `JOINTS`, (14, 3).
    """
    side = getattr(estimator, "learned", None)
    width, height = image.size if side is None else (side, side)
    poses = estimator(resize(to_tensor(image), height, width)[None].float() / 255)
    scale = torch.tensor([image.width / width, image.height / height, 1])
    return poses.joints[0] * scale if poses.found[0] else None


def load_models(checkpoint: str, beside: str | None, device: str) -> tuple[Model, dict[str, Model]]:
    """Load the model and, by caption, what it is compared with: a second one, and Telea's method if OpenCV is there.

    Args:
        checkpoint: What `load` takes.
        beside: The second one, as `checkpoint`, or None.
        device: What `load` takes.

    Raises:
        InputError: A model can't be loaded; names the setting.
    """
    model = _load("checkpoint", checkpoint, device)
    others = {} if beside is None else {Path(beside).name: _load("beside", beside, device)}
    if "telea" not in (checkpoint, beside):
        with suppress(InputError):  # OpenCV is not installed
            others["Telea"] = load("telea", device=device)
    return model, others


def _load(key: str, weights: str, device: str) -> Model:
    try:
        return load(weights, device=device)
    except InputError as error:
        raise InputError(re.sub(r"^(weights|checkpoint)=", f"{key}=", str(error))) from error


def _draws_samples(model: Model) -> bool:
    """Whether a model gives several outputs of an image."""
    masked = torch.zeros(64, 64, dtype=torch.bool)
    masked[28:36, 28:36] = True
    try:
        model(torch.full((3, 64, 64), 128, dtype=torch.uint8), masked, samples=2)
    except InputError:
        return False
    return True


def draw_pose(image: Image.Image, joints: Float[Tensor, "14 3"]) -> Image.Image:
    """Draw a pose on a copy of an image.

    Args:
        image: RGB image.
        joints: x and y in pixels and confidence of each of `JOINTS`; those of confidence 0 are left out.
    """
    drawn = image.copy()
    draw = ImageDraw.Draw(drawn)
    width = max(2, max(image.size) // 150)
    points = {name: (x, y) for name, (x, y, confidence) in zip(JOINTS, joints.tolist(), strict=True) if confidence > 0}
    for chain in LIMBS:
        for ends in pairwise(chain):
            if set(ends) <= set(points):
                draw.line([points[end] for end in ends], PAINT[:3], width)
    for x, y in points.values():
        draw.ellipse((x - width, y - width, x + width, y + width), "white")
    return drawn


def _paint(image: Image.Image, masked: Bool[Tensor, "h w"]) -> Image.Image:
    """Show a mask on a copy of an image."""
    painted = image.copy()
    painted.paste(PAINT[:3], mask=Image.fromarray(masked.numpy()))
    return painted
