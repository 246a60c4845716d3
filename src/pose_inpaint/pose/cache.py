"""Cache of the poses in original images, which are the same for every method scored."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pose_inpaint.pose.estimator import PoseEstimator, Poses, join
from pose_inpaint.runtime.cache import cache_folder
from pose_inpaint.runtime.files import written_whole


class RememberingEstimator:
    """Estimator whose results are cached on disk, by its name and a hash of the image's pixels."""

    def __init__(self, estimator: PoseEstimator) -> None:
        self.estimator, self.device = estimator, estimator.device
        self.name, self.joint_names = estimator.name, estimator.joint_names
        self.folder = cache_folder() / "poses" / hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def __call__(self, images: Float[Tensor, "b 3 h w"], near: Poses | None = None) -> Poses:
        """Return cached poses, and estimate those of all other images in one batch."""
        digests = [_digest(image, near[i] if near else None) for i, image in enumerate(images)]
        files = [self.folder / f"{digest}.json" for digest in digests]
        poses = {i: cached for i, file in enumerate(files) if (cached := _recall(file)) is not None}
        new = [i for i in range(len(files)) if i not in poses]
        if new:
            estimated = self.estimator(images[new], join([near[i] for i in new]) if near else None)
            for number, i in enumerate(new):
                poses[i] = estimated[number]
                _remember(poses[i], files[i])
        return join([poses[i] for i in range(len(files))])


def remembering(estimator: PoseEstimator) -> RememberingEstimator:
    """Wrap an estimator with the cache, unless it has one."""
    return estimator if isinstance(estimator, RememberingEstimator) else RememberingEstimator(estimator)


def _digest(image: Float[Tensor, "3 h w"], near: Poses | None) -> str:
    digest = hashlib.sha256(str(tuple(image.shape)).encode())
    digest.update(image.float().cpu().contiguous().numpy().tobytes())
    if near is not None and bool(near.found[0]):
        digest.update(near.squares.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _recall(file: Path) -> Poses | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Poses(*(torch.tensor(kept[field.name]) for field in fields(Poses)))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing or damaged: estimate again


def _remember(poses: Poses, file: Path) -> None:
    kept = {key: value.tolist() for key, value in vars(poses).items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as part:
            part.write_text(json.dumps(kept), encoding="utf-8")
    except OSError:
        return  # an unwritable cache only costs time
