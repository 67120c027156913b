"""Makes the tiny networks of `agent.doctor.settle.networks`: `python -m tests.agent.settle.networks` prints them."""

import base64
import sys
import textwrap

import numpy as np
import onnx
from onnx import helper, numpy_helper

# (Q/DQ and) Conv of 1x1 and Relu, x[1, 8, 16, 16]: what every DLA takes.
_SHAPE = [1, 8, 16, 16]


def convolution(*, half: bool = False, quantised: bool = False, half_edges: bool = False) -> bytes:
    """Inputs and outputs are float32, cast at the edges in half precision; with `half_edges` they are float16."""
    weights = ((np.arange(64).reshape(8, 8, 1, 1) % 5) - 2) / 4
    constants = [numpy_helper.from_array(weights.astype(np.float16 if half else np.float32), "w")]
    nodes, x, w = [], "x", "w"
    cast = half and not half_edges
    if cast:
        nodes.append(helper.make_node("Cast", [x], ["xh"], to=onnx.TensorProto.FLOAT16))
        x = "xh"
    if quantised:
        constants += [
            numpy_helper.from_array(np.array(0.03125, np.float32), "s"),
            numpy_helper.from_array(np.array(0, np.int8), "z"),
        ]
        for name in ("x", "w"):
            nodes.append(helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{name}q"]))
            nodes.append(helper.make_node("DequantizeLinear", [f"{name}q", "s", "z"], [f"{name}d"]))
        x, w = "xd", "wd"
    nodes.append(helper.make_node("Conv", [x, w], ["c"], kernel_shape=[1, 1]))
    nodes.append(helper.make_node("Relu", ["c"], ["r" if cast else "y"]))
    if cast:
        nodes.append(helper.make_node("Cast", ["r"], ["y"], to=onnx.TensorProto.FLOAT))
    edge = onnx.TensorProto.FLOAT16 if half_edges else onnx.TensorProto.FLOAT
    inputs, outputs = (helper.make_tensor_value_info(name, edge, _SHAPE) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "tiny", [inputs], [outputs], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def made() -> dict[str, bytes]:
    return {
        "FP32": convolution(),
        "FP16": convolution(half=True),
        "HALF": convolution(half=True, half_edges=True),
        "QDQ": convolution(quantised=True),
    }


def source() -> str:
    parts = ['"""Networks small enough to be written down; a test makes them anew (tests/agent/settle/networks.py)."""']
    parts += ["", "import base64", ""]
    parts.append("# (Q/DQ and) Conv of 1x1 and Relu on x[1, 8, 16, 16], opset 17: what every DLA takes.")
    for name, content in made().items():
        lines = textwrap.wrap(base64.b64encode(content).decode(), 112)
        parts += [f"{name} = base64.b64decode(", *(f'    "{line}"' for line in lines), ")"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(source())
