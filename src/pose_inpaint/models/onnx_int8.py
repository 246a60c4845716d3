"""ONNX files with 8-bit weights and activations."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pose_inpaint.models.onnx_file import feed, quiet
from pose_inpaint.runtime.optional import import_extra
from pose_inpaint.types import Batch

QUANTISED = ["Conv", "ConvTranspose", "MatMul", "Gemm"]
"""Operators that compute in 8 bits; the rest, such as the push-pull fill, stays in single precision."""


class _Reader:
    """Batches in the form in which ONNX Runtime asks for them."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self.batches, None)
        return None if batch is None else feed(batch.known, batch.mask)


def write_int8(source: Path, target: Path, batches: Iterable[Batch]) -> None:
    """Write an ONNX file in 8 bits: per-channel weights, and activations within the ranges seen on `batches`.

    Args:
        source: File of `write_onnx`.
        target: File to write.
        batches: Images to measure the ranges on; their minima and maxima are averaged over batches.

    Raises:
        InputError: ONNX Runtime is not installed.
    """
    quantization = import_extra("onnxruntime.quantization", "int8=true needs onnxruntime", "export")
    preparing = import_extra("onnxruntime.quantization.shape_inference", "int8=true needs onnxruntime", "export")
    onnx = import_extra("onnx", "int8=true needs onnx", "export")
    with quiet(), TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        preparing.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(target),
            _Reader(batches),
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,  # 7 bits of weight: with 8, processors without VNNI instructions overflow
            extra_options={"CalibMovingAverage": True},
        )
    model = onnx.load(target)
    about = {entry.key: entry.value for entry in onnx.load(source, load_external_data=False).metadata_props}
    onnx.helper.set_model_props(model, {**about, "precision": "int8"})
    onnx.save(model, target)
