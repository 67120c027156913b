"""INT8 graphs: what the quantiser made, node by node, and every way in which a graph breaks TensorRT's rules."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from controller.intake.lowering import rules
from controller.intake.lowering.calibration import Calibration
from controller.intake.lowering.qdq import to_qdq
from controller.model.job import Precision, Role
from tests.intake.conftest import Workplace, linear
from tests.intake.graphs import (
    JOB,
    NODE,
    floats,
    graph_of,
    hold_to_qdq_rules,
    model_of,
    network,
    network_rows,
    quantised,
    save,
    value,
)

CPU, GPU = JOB + "variants: {precision: [int8]}", JOB + "variants: {precision: [int8], runtime: [tensorrt]}"


@pytest.mark.parametrize(("job", "pairs", "floating"), [(CPU, 18, np.float32), (GPU, 12, np.float16)])
def test_an_int8_graph_is_what_tensorrt_takes(place: Workplace, job: str, pairs: int, floating: type[Any]) -> None:
    save(place, network(), **network_rows())
    made = graph_of(place.prepare(job), Role.MODEL_QDQ)
    assert hold_to_qdq_rules(made) == pairs
    held = {item.name: numpy_helper.to_array(item) for item in made.graph.initializer}
    found = [node for node in made.graph.node if node.op_type in rules.PAIR]
    assert {held[node.input[1]].dtype for node in found} == {np.dtype(floating)}
    channels = {
        node.input[0]: (held[node.input[1]].shape, next(item.i for item in node.attribute if item.name == "axis"))
        for node in found
        if node.op_type == "QuantizeLinear" and node.input[0] in held
    }
    assert channels == {"w1": ((4,), 0), "w2": ((8,), 0), "w3": ((3,), 0)}
    # Biases stay in float: TensorRT dequantises no 32-bit integers.
    assert held["b1"].dtype == held["b3"].dtype == np.dtype(floating)


def test_over_fp16_nothing_stands_between_a_product_and_what_follows(place: Workplace) -> None:
    save(place, network(), **network_rows())
    made = graph_of(place.prepare(GPU), Role.MODEL_QDQ)
    readers = {name: node.op_type for node in made.graph.node for name in node.input}
    assert [readers[node.output[0]] for node in made.graph.node if node.op_type == "Conv"] == ["Relu", "ReduceMean"]
    assert made.opset_import[0].version == 19
    types = {item.name: item.type.tensor_type.elem_type for item in made.graph.value_info}
    assert {types[name] for name in ("c1", "r1", "c2", "sum")} == {TensorProto.FLOAT16}
    ports = [*made.graph.input, *made.graph.output]
    assert [item.type.tensor_type.elem_type for item in ports] == [
        *(TensorProto.FLOAT, TensorProto.INT64),
        *(TensorProto.FLOAT, TensorProto.INT64),
    ]


def test_a_scale_is_rounded_up_to_a_half_that_is_not_zero() -> None:
    tiny = np.float32([[1e-9, 3e-3, 1]] * 4)
    rows = {"x": np.full((8, 4), 1e-8, dtype=np.float32)}
    model = model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 3])], w=tiny)
    made = to_qdq(model, Calibration(rows, {"x": 0}, 8, 8), Precision.FP16)
    held = {item.name: numpy_helper.to_array(item) for item in made.graph.initializer}
    hold_to_qdq_rules(made)
    assert held["x_scale"] > 0
    assert (held["w_scale"].astype(np.float64) * 127 >= tiny[0]).all()


def test_a_weight_beyond_half_precision_is_quantised_from_float32() -> None:
    large = floats(4, 3) * np.float32(2e4)
    rows = {"x": floats(8, 4) / np.float32(1e4)}
    model = model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 3])], w=large)
    made = to_qdq(model, Calibration(rows, {"x": 0}, 8, 8), Precision.FP16)
    hold_to_qdq_rules(made)
    (got,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, rows)
    np.testing.assert_allclose(got, rows["x"] @ large, atol=0.2)


def attributes(**wanted: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            del node.attribute[:]
            node.attribute.extend(onnx.helper.make_attribute(name, number) for name, number in wanted.items())

    return change


def held(**arrays: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for name, array in arrays.items():
            (tensor,) = [item for item in model.graph.initializer if item.name == name]
            model.graph.initializer.remove(tensor)
            if array is not None:
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))

    return change


def first_node(**changes: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        node = model.graph.node[0]
        if "inputs" in changes:
            del node.input[changes["inputs"] :]
        node.op_type = changes.get("op", node.op_type)

    return change


def of_weights(scale: Any, zero: Any, **named: int) -> onnx.ModelProto:
    nodes = [
        NODE("QuantizeLinear", ["w", "s", "z"], ["q"], name="here", **named),
        NODE("DequantizeLinear", ["q", "s", "z"], ["d"], **named),
        NODE("MatMul", ["x", "d"], ["y"]),
    ]
    arrays = {"w": floats(4, 3), "s": np.float32(scale), "z": np.int8(zero)}
    return model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 3])], **arrays)


BROKEN = [
    (quantised(), held(z=np.int8(1)), "has a zero point that is not a signed 0 (it is INT8)", "INT8, all 0"),
    (quantised(), held(z=np.uint8(0)), "has a zero point that is not a signed 0 (it is UINT8)", "INT8, all 0"),
    (quantised(), held(z=None), "has a zero point that is not constant", "an initializer, INT8 0"),
    (quantised(), held(z=np.int8([0, 0])), "has 1 scale and 2 zero points", "as many zero points as scales"),
    (quantised(), held(s=np.float32(0)), "has a scale that is not positive", "scales above 0"),
    (quantised(), held(s=np.float32(np.inf)), "not positive: its range is not finite", "scales above 0"),
    (quantised(), held(s=None), "has a scale that is not constant", "a scale that is an initializer"),
    (quantised(), held(s=np.ones(4, "f4"), z=np.zeros(4, "i1")), "quantises an activation per channel", "one scale"),
    (quantised(), first_node(inputs=2), "has no zero point: ONNX takes it as UINT8 then", "a zero point, INT8 0"),
    (
        quantised(),
        first_node(op="DynamicQuantizeLinear"),
        "is an operator that TensorRT does not",
        "QuantizeLinear and",
    ),
    (of_weights(np.ones(3), np.zeros(3)), attributes(), "names no axis", "an axis attribute"),
    (
        of_weights(np.ones(3), np.zeros(3)),
        attributes(axis=0),
        "has 3 scales for axis 0 of [4, 3]",
        "one for each index",
    ),
    (of_weights(np.ones((4, 1)), np.zeros((4, 1))), attributes(axis=1), "has a scale of shape [4, 1]", "one scale, or"),
]


@pytest.mark.parametrize(("model", "change", "problem", "expected"), BROKEN)
def test_what_tensorrt_would_refuse_is_caught(
    model: onnx.ModelProto, change: Callable[[onnx.ModelProto], None], problem: str, expected: str
) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    change(broken)
    with pytest.raises(rules.QdqError) as caught:
        rules.check(broken)
    assert " 'here' " in str(caught.value)
    assert problem in str(caught.value)
    assert expected in caught.value.expected
    assert caught.value.hint


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (linear(), 0),
        (quantised(), 2),
        (of_weights(0.1, 0), 2),
        (of_weights(np.ones(3), np.zeros(3), axis=1), 2),
        (of_weights(np.ones(3), np.zeros(3), axis=-1), 2),
        (of_weights(np.ones(4), np.zeros(4), axis=0), 2),
    ],
)
def test_what_tensorrt_takes_passes(model: onnx.ModelProto, count: int) -> None:
    assert rules.check(model) == count


def test_pairs_in_a_subgraph_are_looked_at_too() -> None:
    inner = [
        NODE("QuantizeLinear", ["x", "s", "z"], ["q"], name="here"),
        NODE("DequantizeLinear", ["q", "s", "z"], ["d"]),
    ]
    plain = onnx.helper.make_graph([NODE("Identity", ["x"], ["e"])], "else", [], [value("e", ["N", 4])])
    branch = onnx.helper.make_graph(inner, "then", [], [value("d", ["N", 4])])
    model = model_of(
        [NODE("If", ["c"], ["y"], then_branch=branch, else_branch=plain)],
        [value("x", ["N", 4]), value("c", [], TensorProto.BOOL)],
        [value("y", ["N", 4])],
        s=np.float32(0.1),
        z=np.int8(0),
    )
    assert rules.check(model) == 2
    held(z=np.uint8(0))(model)
    with pytest.raises(rules.QdqError, match="QuantizeLinear 'here' has a zero point"):
        rules.check(model)


def test_int8_classifies_within_a_point_of_fp32(place: Workplace) -> None:
    """A small trained network on real images: calibrated on one split, judged on another."""
    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    order = np.random.default_rng(0).permutation(len(labels))
    train, tune, test = order[:900], order[900:1028], order[1028:]
    net = MLPClassifier((48,), random_state=0, max_iter=60, tol=0.1, n_iter_no_change=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(images[train], labels[train])
    (w1, w2), (b1, b2) = net.coefs_, net.intercepts_
    nodes = [
        NODE("Gemm", ["x", "w1", "b1"], ["h"]),
        NODE("Relu", ["h"], ["r"]),
        NODE("Gemm", ["r", "w2", "b2"], ["y"]),
    ]
    weights = {"w1": w1, "b1": b1, "w2": w2, "b2": b2}
    held = {name: array.astype(np.float32) for name, array in weights.items()}
    save(place, model_of(nodes, [value("x", ["N", 64])], [value("y", ["N", 10])], **held), x=images[tune])
    prepared = place.prepare(JOB + "variants: {precision: [fp32, fp16, int8]}")
    over_fp16 = place.prepare(GPU)
    graphs = {role.value: graph_of(prepared, role) for role in (Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ)}
    graphs["over fp16"] = graph_of(over_fp16, Role.MODEL_QDQ)
    accuracy = {}
    for name, graph in graphs.items():
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        (scores,) = session.run(None, {"x": images[test]})
        accuracy[name] = float(np.mean(scores.argmax(1) == labels[test]))
    assert accuracy["model-fp32"] > 0.9
    assert abs(accuracy["model-fp16"] - accuracy["model-fp32"]) <= 0.002, accuracy
    assert abs(accuracy["model-qdq"] - accuracy["model-fp32"]) <= 0.01, accuracy
    assert abs(accuracy["over fp16"] - accuracy["model-fp32"]) <= 0.01, accuracy
