"""Files in 8 bits."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pose_inpaint.models.onnx_int8 import write_int8


def test_ranges_are_averaged_over_batches(tmp_path):
    tensor = {name: ["b", channels, 4, 4] for name, channels in {"known": 3, "mask": 1, "raw": 3}.items()}
    known, mask, raw = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in tensor.items())
    weight = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "weight")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["known", "weight"], ["raw"])], "tiny", [known, mask], [raw], [weight]
    )
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), source)
    ends = torch.linspace(-1, 1, 48).view(1, 3, 4, 4)  # -1 to 1, and 0 to 0.5: on average -0.5 to 0.75
    write_int8(source, target, [SimpleNamespace(known=k, mask=ends[:, :1]) for k in (ends, ends / 4 + 0.25)])
    scales = {each.name: numpy_helper.to_array(each) for each in onnx.load(target).graph.initializer}
    assert scales["known_scale"] == pytest.approx(1.25 / 255, rel=1e-5)
