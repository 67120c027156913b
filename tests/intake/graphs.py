"""Small ONNX graphs for the tests of lowering, and ways to look at what came of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from controller.intake.exchange import LoweringRequest
from controller.intake.prepare import PreparedJob
from controller.model.job import CheckRule, OutputCheck, Precision, Role
from jetfleet.outputs.bounds import Bounds
from jetfleet.outputs.judge import judge
from tests.intake.conftest import Workplace

FP16 = LoweringRequest(Precision.FP16, ("variants", "precision", 0), OutputCheck(CheckRule.COSINE))
JOB = "model:\n  onnx: m.onnx\n  data: {calibration: c.npz}\n"
NODE = helper.make_node
RANDOM = np.random.default_rng(3)


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def value(name: str, shape: Sequence[int | str | None] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *,
    opset: int = 17,
    **weights: Any,
) -> onnx.ModelProto:
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def network(*, opset: int = 17) -> onnx.ModelProto:
    """An image and words to scores and a class: convolutions, a table, a matrix product; float and integer outputs."""
    node = helper.make_node
    axes = {"axes": [2, 3]} if opset < 18 else {}
    nodes = [
        node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], group=4),
        node("ReduceMean", ["c2"], ["m"], keepdims=0, **axes),
        node("Gather", ["table", "words"], ["rows"]),
        node("Add", ["m", "rows"], ["sum"]),
        node("Gemm", ["sum", "w3", "b3"], ["scores"], transB=1),
        node("ArgMax", ["scores"], ["class"], axis=1, keepdims=0),
    ]
    return model_of(
        nodes,
        [value("image", ["N", 2, 6, 6]), value("words", ["N"], TensorProto.INT64)],
        [value("scores", ["N", 3]), value("class", ["N"], TensorProto.INT64)],
        opset=opset,
        w1=floats(4, 2, 3, 3) * np.float32([[[[1]]], [[[9]]], [[[0.1]]], [[[3]]]]),
        b1=floats(4),
        w2=floats(8, 1, 3, 3),
        w3=floats(3, 8),
        b3=floats(3),
        table=floats(5, 8),
    )


def save(place: Workplace, model: onnx.ModelProto, **rows: Any) -> None:
    place.model(model)
    if rows:
        np.savez(place.folder / "c.npz", **rows)


def network_rows(count: int = 20) -> dict[str, Any]:
    return {"image": floats(count, 2, 6, 6), "words": RANDOM.integers(0, 5, count)}


def graph_of(prepared: PreparedJob, role: Role) -> onnx.ModelProto:
    (digest,) = {item.sha256 for variant in prepared.spec.variants for item in variant.artifacts if item.role is role}
    return onnx.load(str(prepared.files[digest]))


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((4, 3), np.float16), "w"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def quantised() -> onnx.ModelProto:
    nodes = [
        NODE("QuantizeLinear", ["x", "s", "z"], ["q"], name="here"),
        NODE("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    weights = {"s": np.float32(0.1), "z": np.int8(0)}
    return model_of(
        nodes, [value("x", ["N", 4])], [value("y", ["N", 4])], **{k: np.asarray(v) for k, v in weights.items()}
    )


def hold_to_qdq_rules(model: onnx.ModelProto) -> int:
    """The rules of the ONNX importer, told a second time: symmetric, INT8, and one scale or one per weight channel."""
    held = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    made_of = {node.output[0]: node.input[0] for node in pairs}
    for node in pairs:
        scale, zero = held[node.input[1]], held[node.input[2]]
        assert (zero.dtype, zero.shape) == (np.int8, scale.shape)
        assert not zero.any()
        assert (scale > 0).all()
        assert np.isfinite(scale).all()
        if scale.ndim:
            weight = held[made_of.get(node.input[0], node.input[0])]
            axis = next(item.i for item in node.attribute if item.name == "axis")
            assert scale.shape == (weight.shape[axis],)
    return len(pairs)


def similarity(got: Any, want: Any) -> float:
    """Cosine of floats, share of equal elements of integers."""
    found = judge(got, want, Bounds())
    return found.equal_share if found.cosine is None and found.equal_share is not None else found.cosine or 0.0
