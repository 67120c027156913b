"""Networks of so many equal layers, so that one that is slower by a known share can be made: real layers, no sleep."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def chain(layers: int, *, rows: int, width: int, tail: tuple[float, int] = (0.0, 0)) -> bytes:
    """Products of [rows, width] with [width, width], as an ONNX file.

    With `tail` (share, more) that share of inferences, drawn at random, has so many layers more.
    """
    share, more = tail
    nodes, weights = _products("x", "main", layers, width)
    if more:
        nodes += _rare(share, more, width)
    else:
        nodes.append(helper.make_node("Identity", ["main"], ["y"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


def _products(begin: str, end: str, layers: int, width: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    random = np.random.default_rng(0)
    names = [begin, *(f"{end}-{at}" for at in range(1, layers)), end]
    weights = [
        numpy_helper.from_array(
            (random.standard_normal((width, width)) / width**0.5).astype(np.float32), f"{end}-w{at}"
        )
        for at in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [names[at], f"{end}-w{at}"], [names[at + 1]]) for at in range(layers)]
    return nodes, weights


def _rare(share: float, more: int, width: int) -> list[onnx.NodeProto]:
    """y is main or, in a share of inferences, main after more layers."""
    nodes, weights = _products("main", "rare", more, width)
    shape = [helper.make_tensor_value_info("rare", TensorProto.FLOAT, None)]
    rare = helper.make_graph(nodes, "rare", [], shape, weights)
    same = [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)]
    common = helper.make_graph([helper.make_node("Identity", ["main"], ["same"])], "common", [], same)
    limit = helper.make_tensor("limit", TensorProto.FLOAT, [], [share])
    return [
        helper.make_node("RandomUniform", [], ["drawn"], shape=[1]),
        helper.make_node("Constant", [], ["limit"], value=limit),
        helper.make_node("Less", ["drawn", "limit"], ["is_rare"]),
        helper.make_node("If", ["is_rare"], ["y"], then_branch=rare, else_branch=common),
    ]
