"""`python -m pose_inpaint.export checkpoint=PATH|pretrained output=FILE`: a network as ONNX."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from pose_inpaint.config.command import run_command
from pose_inpaint.config.schema import ExportSettings
from pose_inpaint.config.settings import read_settings
from pose_inpaint.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from pose_inpaint.data.datamodule import InpaintingData

TOLERANCE = 1.0  # grey levels of 0..255 by which ONNX Runtime may differ from PyTorch


def main() -> None:
    """Run the command."""
    run_command("export", run)


def run(config: DictConfig) -> None:
    """Export as configured.

    Raises:
        InputError: A setting or an input file can't be used, or the graph's output is not the network's; then nothing
            is written.
    """
    import torch

    from pose_inpaint.data.photo_folder import check_writable
    from pose_inpaint.models import onnx_file
    from pose_inpaint.models.onnx_int8 import write_int8
    from pose_inpaint.runtime.files import written_whole

    settings = read_settings(config, ExportSettings)
    output = Path(settings.output)
    if os.path.lexists(output):
        raise InputError(f"output={output}: exists; give another file, or remove it")
    onnx_file.check_installed(*(["onnxruntime"] if settings.int8 else []))
    network, about = _network(settings)
    stride = int(getattr(network, "stride", 1))
    data = _data(settings, stride) if settings.int8 else None
    check_writable(output.parent)
    torch.manual_seed(settings.seed)
    with TemporaryDirectory() as folder:
        single = Path(folder) / "single.onnx"
        onnx_file.write_onnx(network, single, {**about, "precision": "fp32"})
        compared = _compare(network, single, output)
        with written_whole(output) as part:
            if data is None:
                shutil.copyfile(single, part)
            else:
                write_int8(single, part, data.calibration_dataloader(-(-settings.calibration // data.batch_size)))
                print(_score(data, {"fp32": single, "int8": part}, settings.seed))
    precision, size = "int8" if settings.int8 else "fp32", output.stat().st_size / 1e6
    print(f"{output}: {about['model']}, {precision}, {size:.2f} MB, for sides that are multiples of {stride}{compared}")


def _network(settings: ExportSettings) -> tuple[nn.Module, dict[str, str]]:
    """Build the network with its weights, and its own part of the metadata."""
    import torch

    from pose_inpaint.evaluation.candidates import choose_inpainter
    from pose_inpaint.models.pretrained import Pretrained

    inpainter, checkpoint = choose_inpainter(settings.model, settings.checkpoint, torch.device("cpu"))
    if isinstance(inpainter, Pretrained):
        config, digest = inpainter.release.config, inpainter.release.sha256
    elif checkpoint is not None:
        config, digest = checkpoint.config, checkpoint.sha256()
    else:
        raise InputError(
            f"model: {type(inpainter).__name__} is no network, so there is nothing to export; give checkpoint=PATH of "
            "a trained network, or checkpoint=pretrained"
        )
    about = {"model": str(config["name"]), "sha256": digest, "size": str(config["data"]["size"])}
    return cast("nn.Module", inpainter), about


def _data(settings: ExportSettings, stride: int) -> InpaintingData:
    """Build and check the images that 8-bit ranges are measured and scored on."""
    from pose_inpaint.build import build_data

    if settings.data.size % stride:
        raise InputError(f"data.size={settings.data.size}: must be a multiple of {stride} for this network")
    data = build_data(settings.data, settings.mask, settings.seed)
    data.inspect("train", "test")
    data.check_batch_size()
    return data


def _compare(network: nn.Module, file: Path, output: Path) -> str:
    """Run the file beside the network, where ONNX Runtime is installed, and say how far they are apart."""
    from pose_inpaint.models.onnx_check import largest_difference
    from pose_inpaint.models.onnx_file import OnnxInpainter

    if find_spec("onnxruntime") is None:
        print("warning: onnxruntime is not installed, so the file was not compared with PyTorch", file=sys.stderr)
        return ""
    difference = largest_difference(network, OnnxInpainter(file, "output"))
    if not difference <= TOLERANCE:
        raise InputError(
            f"output={output}: ONNX Runtime's output differs from PyTorch's by {difference:.1f} grey levels, more than "
            f"{TOLERANCE:g}, so it isn't written; does the network choose by the values or the size of its input?"
        )
    return f"; at most {difference:.4f} grey levels from PyTorch"


def _score(data: InpaintingData, files: dict[str, Path], seed: int) -> str:
    """Score files on the test split, for a line to print."""
    from pose_inpaint.evaluation.evaluator import inpaint_fn, score
    from pose_inpaint.metrics import MSE
    from pose_inpaint.metrics.score_names import label
    from pose_inpaint.models.onnx_file import OnnxInpainter

    name = "mse_composite_hole"
    found = []
    for precision, file in files.items():
        inpaint = inpaint_fn(OnnxInpainter(file, "output"), "cpu", seed)
        scores = score(inpaint, data.test_dataloader(), {name: MSE("composite", "hole")}, seed=seed, title=precision)
        found.append(f"{precision} {scores.over()[name]['value']:.6f}")
    return f"{label(name)}: {', '.join(found)} (split test, n {len(data.images('test'))})"


if __name__ == "__main__":
    main()
