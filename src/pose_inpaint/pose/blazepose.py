"""BlazePose: a detector locates the person's square, and a second network the landmarks in it.

Bazarevsky et al. 2020 (https://arxiv.org/abs/2006.10204), as MediaPipe's "full" model, run by `ai-edge-litert` on the
CPU. Decoding and constants follow MediaPipe's published graphs (`pose_detection`, `pose_landmark_by_roi`).
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from pose_inpaint.data.joints import to_common
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.pose.estimator import Poses, join, nobody
from pose_inpaint.runtime.optional import import_extra

DETECTOR, LANDMARKS = "pose_detection.tflite", "pose_landmark_full.tflite"

LANDMARK_NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip

DETECTOR_SIZE = 224  # pixels
ANCHORS = ((28, 2), (14, 2), (7, 6))  # cells per side, anchors per cell
OVERLAP = 0.3  # intersection over union above which detections belong to one person
SQUARE_SCALE = 1.25  # half side of the square, relative to the radius of the predicted circle
LANDMARK_SIZE = 256  # pixels
REFINEMENT_WINDOW = 7  # cells of a heatmap
REFINEMENT_CONFIDENCE = 0.5


class BlazePose:
    """Pose estimation by MediaPipe's BlazePose.

    The detector expects space around people, who fill the images of pose data sets: on 170 test photos of Leeds Sports
    Pose it found 64 % of them without a margin, and 90 % with a margin of 3/8 of the side. Raises `InputError` if a
    file or package is missing, or a number is out of range.

    Args:
        model_dir: Folder of `pose_detection.tflite` and `pose_landmark_full.tflite`; defaults to that of an installed
            mediapipe (0.10.21 is the last version with these files).
        min_detection: Minimum confidence of the detector, in (0, 1).
        min_presence: Minimum confidence of the landmark network that the square shows a person, in (0, 1).
        margin: Width of the border added to an image for the detector, as a share of the longer side.
        looks: Number of landmark passes. Each pass after the first uses the square given by the landmarks of the
            previous one, as MediaPipe does between the frames of a video.
        threads: Number of CPU threads of each network.
    """

    joint_names = LANDMARK_NAMES
    device = torch.device("cpu")

    def __init__(
        self,
        model_dir: str | None = None,
        min_detection: float = 0.5,
        min_presence: float = 0.5,
        margin: float = 0.375,
        looks: int = 2,
        threads: int = 2,
    ) -> None:
        for key, value in {"min_detection": min_detection, "min_presence": min_presence}.items():
            if not 0 < value < 1:
                raise InputError(f"pose.estimator.{key}={value}: must be in (0, 1)")
        if margin < 0 or looks < 1:
            raise InputError(f"pose.estimator.margin={margin}, looks={looks}: must be at least 0 and 1")
        detector, landmarks = find_models(model_dir)
        self.detector, self.landmarks = _Network(detector, threads), _Network(landmarks, threads)
        self.min_detection, self.min_presence, self.margin, self.looks = min_detection, min_presence, margin, looks
        digest = hashlib.sha256(detector.read_bytes() + landmarks.read_bytes()).hexdigest()
        self.name = f"blazepose {digest[:8]} ({min_detection:g}, {min_presence:g}, {margin:g}, {looks})"
        self.anchors = anchor_centres()

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Estimate poses one image at a time; with `near`, in one landmark pass on the given squares."""
        squares = [near.squares[i] if near and near.found[i] else None for i in range(len(images))]
        return join([self._find(*pair) for pair in zip(images.cpu().float(), squares, strict=True)])

    def _find(self, image: Float[Tensor, "3 h w"], given: Float[Tensor, "3 2"] | None) -> Poses:
        square = self._detect(image) if given is None else given
        poses, passes = nobody(), self.looks if given is None else 1
        while square is not None and passes:
            presence, landmarks = self._look(image, square)
            if presence < self.min_presence:
                break
            joints = to_common(LANDMARK_NAMES, landmarks[: len(LANDMARK_NAMES)])
            poses, passes = Poses(joints[None], torch.ones(1, dtype=torch.bool), square[None]), passes - 1
            square = person_square(landmarks[len(LANDMARK_NAMES) :][:2, :2])  # auxiliary points: hips and circle
        return poses

    def _detect(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 2"] | None:
        """Return the square of the most confident detection, in pixels of the image."""
        height, width = image.shape[-2:]
        edge = round(self.margin * max(height, width))
        side = max(height, width) + 2 * edge
        framed = F.pad(image[None], (edge,) * 4, mode="replicate")
        framed = F.pad(framed, (0, side - framed.shape[-1], 0, side - framed.shape[-2]))
        small = F.interpolate(framed, (DETECTOR_SIZE, DETECTOR_SIZE), mode="bilinear", antialias=True)[0]
        outputs = self.detector((small * 2 - 1).permute(1, 2, 0)[None].numpy())
        scores = torch.from_numpy(outputs["Identity_1"]).flatten().clamp(-100, 100).sigmoid()
        if scores.max() < self.min_detection:
            return None
        person = merge_best(decode(torch.from_numpy(outputs["Identity"])[0], self.anchors), scores, self.min_detection)
        return person_square(person[4:8].reshape(2, 2) * side - edge)

    def _look(self, image: Float[Tensor, "3 h w"], square: Float[Tensor, "3 2"]) -> tuple[float, Float[Tensor, "39 3"]]:
        """Return the presence of a person in a square, and landmarks: x and y in pixels and confidence."""
        outputs = self.landmarks(crop_square(image, square, LANDMARK_SIZE).permute(1, 2, 0)[None].numpy())
        values = torch.from_numpy(outputs["Identity"]).reshape(-1, 5)
        within = refine(values[:, :2] / LANDMARK_SIZE, torch.from_numpy(outputs["Identity_3"])[0].sigmoid())
        origin, right, down = square
        positions = origin + within[:, :1] * (right - origin) + within[:, 1:] * (down - origin)
        confidence = values[:, 3:].sigmoid().amin(1, keepdim=True)  # the lower of visibility and presence
        return float(outputs["Identity_1"].item()), torch.cat([positions, confidence], dim=1)


class _Network:
    """TensorFlow Lite model that runs on one image."""

    def __init__(self, path: Path, threads: int) -> None:
        litert = import_extra("ai_edge_litert.interpreter", "pose=blazepose needs ai-edge-litert", "pose")
        try:
            self.interpreter: Any = litert.Interpreter(str(path), num_threads=threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path}: not a TensorFlow Lite model ({first_line(error)}); replace it") from error
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.outputs = {output["name"]: output["index"] for output in self.interpreter.get_output_details()}

    def __call__(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the model and return all outputs by name."""
        self.interpreter.set_tensor(self.input, image)
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(index) for name, index in self.outputs.items()}


def find_models(model_dir: str | None) -> tuple[Path, Path]:
    """Return the files of the detector and the landmark network; raise `InputError` if one is missing."""
    paths = [Path(model_dir or "") / name for name in (DETECTOR, LANDMARKS)]
    if model_dir is None:
        package = importlib.util.find_spec("mediapipe")
        if package is None or package.origin is None:
            raise InputError(
                "pose.model_dir is missing: give pose.model_dir=DIR, a folder of pose_detection.tflite and "
                "pose_landmark_full.tflite, or pip install mediapipe==0.10.21"
            )
        modules = Path(package.origin).parent / "modules"
        paths = [modules / "pose_detection" / DETECTOR, modules / "pose_landmark" / LANDMARKS]
    for path in paths:
        if not path.is_file():
            raise InputError(f"pose.model_dir: no such file: {path}; give a folder of {DETECTOR} and {LANDMARKS}")
    return paths[0], paths[1]


def anchor_centres() -> Float[Tensor, "n 2"]:
    """Centre (x, y) of each anchor's cell as a share of the image's side, in the order of the detector's output."""
    return torch.cat([_grid(cells).flatten(0, 1).repeat_interleave(each, 0) for cells, each in ANCHORS])


def _grid(count: int) -> Float[Tensor, "n n 2"]:
    """Centre (x, y) of each of `count` x `count` cells as a share of the square's side."""
    line = (torch.arange(count) + 0.5) / count
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)


def decode(raw: Float[Tensor, "n 12"], anchors: Float[Tensor, "n 2"]) -> Float[Tensor, "n 12"]:
    """Decode raw detections to left, top, right, bottom and four points (x, y), as shares of the image's side."""
    scaled = raw / DETECTOR_SIZE
    centre, half = scaled[:, :2] + anchors, scaled[:, 2:4] / 2
    points = scaled[:, 4:].reshape(-1, 4, 2) + anchors[:, None]
    return torch.cat([centre - half, centre + half, points.flatten(1)], dim=1)


def merge_best(detections: Float[Tensor, "n 12"], scores: Float[Tensor, " n"], least: float) -> Float[Tensor, " 12"]:
    """Average the best detection with those that overlap it, weighted by score (MediaPipe's weighted suppression)."""
    near = box_iou(detections[scores.argmax()][None, :4], detections[:, :4])[0] >= OVERLAP
    weights = torch.where(near & (scores >= least), scores, 0.0)
    return (detections * weights[:, None]).sum(0) / weights.sum()


def person_square(points: Float[Tensor, "2 2"]) -> Float[Tensor, "3 2"]:
    """Top left, top right and bottom left corner of the square around a person, rotated with the person's body axis.

    Args:
        points: Centre of the hips, and the point above it on the circle around the whole person; x and y in pixels.
    """
    hips, above = points
    up = (above - hips) * SQUARE_SCALE
    right = torch.stack([-up[1], up[0]])
    return torch.stack([hips + up - right, hips + up + right, hips - up - right])


def crop_square(image: Float[Tensor, "3 h w"], corners: Float[Tensor, "3 2"], size: int) -> Float[Tensor, "3 s s"]:
    """Crop a rotated square and resample it upright at `size` x `size` pixels; black outside the image."""
    height, width = image.shape[-2:]
    cells, (origin, right, down) = _grid(size), corners
    positions = origin + cells[..., :1] * (right - origin) + cells[..., 1:] * (down - origin)
    grid = positions / torch.tensor([width, height]) * 2 - 1
    return F.grid_sample(image[None], grid[None], mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def refine(places: Float[Tensor, "n 2"], heatmaps: Float[Tensor, "h w m"]) -> Float[Tensor, "n 2"]:
    """Move each landmark to the centroid of its heatmap around it, if the heatmap is confident there.

    Args:
        places: Landmarks (x, y) as shares of the square's side.
        heatmaps: One heatmap per landmark, in [0, 1].
    """
    height, width = heatmaps.shape[:2]
    reach, moved = REFINEMENT_WINDOW // 2, places.clone()
    for number, (x, y) in enumerate(places.tolist()):
        if not (-1 < x * width < width and -1 < y * height < height):  # outside, or not a number
            continue
        column, row = int(x * width), int(y * height)
        top, left = max(0, row - reach), max(0, column - reach)
        window = heatmaps[top : row + reach + 1, left : column + reach + 1, number]
        if window.max() >= REFINEMENT_CONFIDENCE:
            columns, rows = left + torch.arange(window.shape[1]).float(), top + torch.arange(window.shape[0]).float()
            moved[number, 0] = (window.sum(0) * columns).sum() / window.sum() / width
            moved[number, 1] = (window.sum(1) * rows).sum() / window.sum() / height
    return moved
