"""A small network whose only purpose is to be timed: what a device's noise is measured with where no job is named."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PRODUCTS, ROWS, WIDTH = 40, 64, 256


def save_noise_network(path: Path) -> None:
    """Forty products of 64x256 by 256x256: some milliseconds on one CPU core."""
    onnx.save(noise_network(), str(path))


def noise_network() -> onnx.ModelProto:
    """One matrix for all products, scaled so that values keep their size (He et al., 2015)."""
    values = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)) * np.sqrt(2 / WIDTH)
    nodes, last = [], "x"
    for index in range(PRODUCTS):
        product, following = f"p{index}", f"r{index}" if index < PRODUCTS - 1 else "y"
        nodes.append(helper.make_node("MatMul", [last, "w"], [product]))
        nodes.append(helper.make_node("Relu", [product], [following]))
        last = following
    graph = helper.make_graph(
        nodes,
        "noise",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, ROWS, WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, ROWS, WIDTH])],
        [numpy_helper.from_array(values.astype(np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
