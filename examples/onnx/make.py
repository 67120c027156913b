"""Writes model.onnx, a small image classifier with seeded weights: `python examples/onnx/make.py`."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, CLASSES = 32, 10


def model() -> onnx.ModelProto:
    """image [N, 3, 32, 32] to scores [N, 10]: two convolutions, a global average, and a matrix."""
    generator = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        fan_in = float(np.prod(shape[1:]))
        values = generator.standard_normal(shape) * np.sqrt(2 / fan_in)
        return numpy_helper.from_array(values.astype(np.float32), name)

    weights = [weight("w1", WIDTH, 3, 3, 3), weight("w2", WIDTH, WIDTH, 3, 3), weight("w3", CLASSES, WIDTH)]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3"], ["scores"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", CLASSES])
    graph = helper.make_graph(nodes, "classifier", [image], [scores], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    onnx.save_model(model(), str(Path(__file__).with_name("model.onnx")))
