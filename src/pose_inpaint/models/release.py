"""Released weights: a folder with `model.safetensors`, `config.yaml` and `card.md`."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from yaml import YAMLError

from pose_inpaint.config.instantiate import load_network
from pose_inpaint.errors import InputError
from pose_inpaint.models.hub import download, is_on_hub
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.runtime.hashing import file_digest

FILES = WEIGHTS, CONFIG, CARD = "model.safetensors", "config.yaml", "card.md"
RELEASE_FORMAT = 1

Kind = Literal["inpainting", "pose"]
USES: dict[str, str] = {"inpainting": "checkpoint=FOLDER", "pose": "pose=hourglass pose.weights=FOLDER"}
Precision = Literal["fp16", "fp32"]
DTYPES: dict[str, torch.dtype] = {"fp16": torch.float16, "fp32": torch.float32}

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
"""Ends of the names of batch-norm statistics, which keep their precision and are no parameters."""

PACKAGED = Path(__file__).parent / "weights"
"""Releases that come with the package, one folder each."""


@dataclass(frozen=True)
class Release:
    """Released weights that were read and checked.

    Attributes:
        folder: Folder of the release.
        config: Configuration of the training, without paths of the machine it ran on.
        weights: State dict of the network, in single precision.
        sha256: Digest of `model.safetensors`.
    """

    folder: Path
    config: dict[str, Any]
    weights: dict[str, Tensor]
    sha256: str

    @property
    def kind(self) -> Kind:
        """What the weights are for."""
        kind: Kind = self.config["release"].get("kind", "inpainting")
        return kind

    def network(self) -> nn.Module:
        """Build the inpainting network with its weights, in evaluation mode.

        Raises:
            InputError: The weights don't fit the configured network.
        """
        return load_network(self.config["model"], self.weights, str(self.folder))


def is_release(path: str | Path) -> bool:
    """Whether a path is a folder that holds, or should hold, released weights, or a repository of the hub."""
    return is_on_hub(path) or Path(path).is_dir()


def find_release(name: str | Path) -> str | Path:
    """Return the folder of a release that comes with the package, by its name, or else the path itself."""
    return PACKAGED / name if (PACKAGED / name / CONFIG).is_file() else name


def read_release(folder: str | Path, key: str = "checkpoint", kind: Kind | None = "inpainting") -> Release:
    """Read released weights.

    Args:
        folder: Folder of the release, or a repository of the hub, `hf://OWNER/NAME`.
        key: Setting that named the folder, for messages.
        kind: What the weights should be for; None for anything.

    Raises:
        InputError: A file is missing, damaged, or of another format, digest or kind; or as `download`.
    """
    folder = download(str(folder), FILES, key) if is_on_hub(folder) else Path(folder)
    config = read_release_config(folder, key, kind)
    expected = config["release"]["weights_sha256"]
    found = file_digest(folder / WEIGHTS)
    if found != expected:
        raise InputError(
            f"{key}={folder}: {WEIGHTS} has the digest {found[:12]}..., but {CONFIG} says {expected[:12]}...; one of "
            "them is damaged or from another release, fetch both again"
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{key}={folder}: {WEIGHTS} can't be read ({error}); fetch it again") from error
    return Release(folder, config, {name: _single(value) for name, value in weights.items()}, found)


def pack_weights(weights: Mapping[str, Tensor], precision: Precision) -> bytes:
    """Return the content of `model.safetensors`; raise `InputError` if a weight is beyond the precision's range."""
    stored = {name: _stored(name, value, precision) for name, value in weights.items()}
    return save(stored, metadata={"format": "pt"})


def read_release_config(folder: Path, key: str = "checkpoint", kind: Kind | None = None) -> dict[str, Any]:
    """Read the configuration of a release as `read_release` does, without a look at its weights."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{key}={folder}: no {name} in it; give a checkpoint, or a folder that release wrote")
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
        release = config["release"]
        version, _ = release["format"], release["weights_sha256"]
    except (YAMLError, OmegaConfBaseException, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{key}={folder}: {CONFIG} is not that of a release; fetch it again") from error
    if version != RELEASE_FORMAT:
        raise InputError(f"{key}={folder}: format {version}, but this version reads {RELEASE_FORMAT}; release it again")
    actual = release.get("kind", "inpainting")
    if actual not in USES or kind not in (None, actual):
        use = USES.get(actual, "another version of this package")
        raise InputError(f"{key}={folder}: weights of the kind {actual!r}, which are for {use}")
    checked: dict[str, Any] = config
    return checked


def write_release(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    precision: Precision,
    card: str,
    kind: Kind = "inpainting",
) -> Release:
    """Write released weights and read them back.

    Args:
        folder: Folder to write to; created if needed.
        config: Configuration of the training, without paths.
        weights: State dict of the network.
        precision: Precision of the stored weights; batch-norm statistics and integers keep theirs.
        card: Text of `card.md`, in which `{sha256}` stands for the digest of the weights.
        kind: What the weights are for.

    Raises:
        InputError: A weight is beyond the range of the precision; nothing is written.
    """
    content = pack_weights(weights, precision)
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / WEIGHTS) as part:
        part.write_bytes(content)
    digest = sha256(content).hexdigest()
    release = {
        "format": RELEASE_FORMAT,
        "kind": kind,
        "precision": precision,
        "parameters": count_parameters(weights),
        "weights_sha256": digest,
    }
    with written_whole(folder / CONFIG) as part:
        part.write_text(OmegaConf.to_yaml(OmegaConf.create({**config, "release": release})), encoding="utf-8")
    with written_whole(folder / CARD) as part:
        part.write_text(card.replace("{sha256}", digest), encoding="utf-8")
    return read_release(folder, "output", kind)


def count_parameters(weights: Mapping[str, Tensor]) -> int:
    """Count the parameters of a state dict."""
    return sum(value.numel() for name, value in weights.items() if not name.endswith(BUFFERS))


def _stored(name: str, value: Tensor, precision: Precision) -> Tensor:
    if not value.is_floating_point() or name.endswith(BUFFERS):
        return value.contiguous()
    stored = value.to(DTYPES[precision]).contiguous()
    if not torch.equal(stored.isfinite(), value.isfinite()):
        raise InputError(f"precision={precision}: {name} has values beyond its range; give precision=fp32")
    return stored


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
