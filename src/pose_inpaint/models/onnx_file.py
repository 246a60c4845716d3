"""ONNX files: a network as a graph for any batch and image size, and an inpainting method that runs one."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from pose_inpaint import __version__
from pose_inpaint.errors import InputError, first_line
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import EMPTY, InpaintingOutput

INPUTS, OUTPUT = ("known", "mask"), "raw"
OPSET = 20  # the lowest that the exporter's graphs of all our networks fit; ONNX Runtime 1.17 reads it
CONVENTIONS = {
    "range": "-1..1",
    "channels": "RGB",
    "mask": "1 = masked",
    "empty": f"{EMPTY:g}",
    "padding": "repeat the last row and column up to multiples of stride, in known and mask; crop raw",
}
"""Metadata that is the same for every file."""


class _Raw(nn.Module):
    """A network whose output is the tensor `raw` alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, known: Float[Tensor, "b 3 h w"], mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 h w"]:
        output: InpaintingOutput = self.network(known, mask)
        return output.raw[:, 0]


def check_installed(*more: str) -> None:
    """Raise `InputError` unless the packages are installed that PyTorch's exporter needs, and `more`."""
    for module in ("onnx", "onnxscript", *more):
        import_extra(module, f"export needs {module}", "export")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what the exporter and ONNX Runtime's tools report of their own work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def write_onnx(network: nn.Module, path: Path, about: Mapping[str, str]) -> None:
    """Write a network as ONNX, with inputs `known` (b, 3, h, w) and `mask` (b, 1, h, w) and output `raw` (b, 3, h, w).

    Args:
        network: `Inpainter` in evaluation mode, on the CPU; h and w must be multiples of its `stride`.
        path: File to write.
        about: Metadata of this network, beside `CONVENTIONS` and its stride.

    Raises:
        InputError: ONNX is not installed, or the network can't be exported.
    """
    check_installed()
    stride = int(getattr(network, "stride", 1))
    # Unequal sides, and a few times the stride, so that no size is taken for a constant.
    height, width = (side * stride * -(-16 // stride) for side in (5, 7))
    known, mask = torch.zeros(3, 3, height, width), torch.zeros(3, 1, height, width)
    sides = {0: Dim("b"), 2: stride * Dim("h"), 3: stride * Dim("w")}
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                _Raw(network).eval(), (known, mask), input_names=INPUTS, output_names=[OUTPUT], dynamo=True,
                opset_version=OPSET, dynamic_shapes=dict.fromkeys(INPUTS, sides), verbose=False,
            )  # fmt: skip
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        raise InputError(f"model: {type(network).__name__} can't be exported: {first_line(cause)}") from error
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.clear()  # tracebacks, which hold the paths of this machine
    program.model.metadata_props.update({**CONVENTIONS, "stride": str(stride), "pose_inpaint": __version__, **about})
    program.save(path)


def feed(known: Float[Tensor, "b 3 h w"], mask: Float[Tensor, "b 1 h w"]) -> dict[str, Float[np.ndarray, "b c h w"]]:
    """Inputs of a file by name, in the form that ONNX Runtime takes."""
    return dict(zip(INPUTS, (known.cpu().numpy(), mask.cpu().numpy()), strict=True))


class OnnxInpainter:
    """Inpaint by running an ONNX file in ONNX Runtime, on the CPU; always one sample.

    Args:
        file: File that `python -m pose_inpaint.export` wrote.
        key: Setting that named it, for messages.

    Attributes:
        about: Metadata of the file.
        stride: Required divisor of the input's sides, in pixels.
        learned: Side in pixels of the images that the network was trained on.

    Raises:
        InputError: ONNX Runtime is not installed, or the file is missing, damaged or not from `export`.
    """

    def __init__(self, file: str | Path, key: str = "model.file") -> None:
        runtime = import_extra("onnxruntime", f"{key}={file} needs onnxruntime", "export")
        if not Path(file).is_file():
            raise InputError(f"{key}={file}: no such file; write one with python -m pose_inpaint.export")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors
        try:
            self.session: Any = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
            self.about: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
            self.stride, self.learned = int(self.about["stride"]), int(self.about["size"])
        except KeyError as error:
            raise InputError(
                f"{key}={file}: not written by python -m pose_inpaint.export; give a file that was"
            ) from error
        except Exception as error:  # ONNX Runtime's exceptions share no other class
            raise InputError(f"{key}={file}: not an ONNX file, or a damaged one ({first_line(error)[:120]})") from error

    def __call__(
        self,
        known: Float[Tensor, "b 3 h w"],
        mask: Float[Tensor, "b 1 h w"],
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ) -> InpaintingOutput:
        """Inpaint the images."""
        (raw,) = self.session.run([OUTPUT], feed(known, mask))
        return InpaintingOutput(raw=torch.from_numpy(raw).to(known)[:, None])
