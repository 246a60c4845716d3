"""Records that make a run repeatable: configuration, versions, commit, data digests."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from pose_inpaint.data.inspection import Inspection
from pose_inpaint.runtime.files import written_whole
from pose_inpaint.tracking.files import CONFIG, RUN

PACKAGES = (
    "pose-inpaint", "torch", "torchvision", "lightning", "hydra-core", "omegaconf", "torchmetrics", "wandb", "pillow",
    "numpy",
)  # fmt: skip


@cache
def versions() -> dict[str, str | None]:
    """Return the version of Python and of each package the results depend on, None if not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache  # what this process has imported, whatever is committed while it runs a sweep
def commit() -> str | None:
    """Return the commit of the code, with "-dirty" if files differ from it; None outside a clone."""

    def git(*command: str) -> str:
        folder = Path(__file__).parent
        return subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # fails in the repository of another project
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None


def describe_run(
    config: dict[str, Any], inspections: Sequence[Inspection], device: str, features: str | None
) -> dict[str, Any]:
    """Collect what the configuration of a run does not say."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": commit(),
        "versions": versions(),
        "device": device,
        "threads": torch.get_num_threads(),
        "seed": config["seed"],
        "perceptual_weights": features,
        "data": [{"split": each.split, "images": each.images, "sha256": each.digest} for each in inspections],
    }


def write_records(folder: Path, config: dict[str, Any], run: dict[str, Any]) -> None:
    """Write `config.yaml` (resolved) and `run.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / CONFIG) as part:
        part.write_text(OmegaConf.to_yaml(OmegaConf.create(config)), encoding="utf-8")
    write_json(folder / RUN, run)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, with null for NaN and infinities, which JSON does not have."""
    with written_whole(path) as part:
        part.write_text(json.dumps(_finite(content), indent=2) + "\n", encoding="utf-8")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and (content != content or content in (float("inf"), float("-inf"))):
        return None
    return content
