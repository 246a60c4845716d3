"""Poses found once: in originals, which every method is scored against."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import torch

from pose_inpaint.pose.estimator import Poses, join
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.files import written_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

    from pose_inpaint.pose.estimator import PoseEstimator


class RememberingEstimator:
    """An estimator whose answers are kept in the user's cache, by its name and a digest of the image's pixels.

    Args:
        estimator: the one to ask about images not seen before.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self.estimator = estimator
        self.name: str = estimator.name
        self.joint_names: Sequence[str] = estimator.joint_names
        self.device: torch.device = estimator.device
        self.folder = cache_folder() / "poses" / hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """The remembered poses, and new ones of the images that are new."""
        given = [None if near is None else near[place] for place in range(len(images))]
        files = [self.folder / f"{_digest(*pair)}.json" for pair in zip(images, given, strict=True)]
        poses = {place: found for place, file in enumerate(files) if (found := _recall(file)) is not None}
        new = [place for place in range(len(files)) if place not in poses]
        if new:
            there = None if near is None else join([near[place] for place in new])
            found = self.estimator(images[new], there)
            for number, place in enumerate(new):
                poses[place] = found[number]
                _remember(found[number], files[place])
        return join([poses[place] for place in range(len(files))])


def remembering(estimator: PoseEstimator) -> RememberingEstimator:
    """The estimator with a memory, if it has none yet."""
    return estimator if isinstance(estimator, RememberingEstimator) else RememberingEstimator(estimator)


def _digest(image: Float[Tensor, "3 h w"], near: Poses | None) -> str:
    found = hashlib.sha256(str(tuple(image.shape)).encode())
    found.update(image.float().cpu().contiguous().numpy().tobytes())
    if near is not None and bool(near.found[0]):
        found.update(near.squares.contiguous().numpy().tobytes())
    return found.hexdigest()


def _recall(file: Path) -> Poses | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Poses(
            torch.tensor(kept["joints"]), torch.tensor(kept["found"], dtype=torch.bool), torch.tensor(kept["squares"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or spoilt: found anew


def _remember(poses: Poses, file: Path) -> None:
    kept = {key: value.tolist() for key, value in vars(poses).items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as part:
            part.write_text(json.dumps(kept), encoding="utf-8")
    except OSError:
        return  # a cache that can't be written only costs time
