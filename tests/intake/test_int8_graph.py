"""What stays in float so that an INT8 graph answers like FP32: found by trying, named, and no more than it needs."""

from typing import Any

import numpy as np
import onnx
import pytest

from controller.intake.lowering.comparison import judge_trials
from controller.model.job import CheckRule, OutputCheck, OutputSet, Role
from tests.intake.conftest import Workplace
from tests.intake.graphs import JOB, NODE, floats, graph_of, hold_to_qdq_rules, model_of, network, save, value

WIDTH = 16
ROWS = {"x": floats(40, WIDTH, 6, 6)}
RUNTIMES = ["onnxruntime", "tensorrt"]


def detector() -> onnx.ModelProto:
    """Boxes of hundreds and scores below one: from channels of very different size, joined to one output."""
    scale = np.full((1, WIDTH, 1, 1), 100, np.float32)
    scale[:, WIDTH // 2 :] = 0.02  # the channels of which the scores are made
    boxes, scores = floats(4, WIDTH, 1, 1), floats(3, WIDTH, 1, 1)
    boxes[:, WIDTH // 2 :] = 0
    scores[:, : WIDTH // 2] = 0
    nodes = [
        NODE("Conv", ["x", "w0"], ["c"], name="stem"),
        NODE("Mul", ["c", "scale"], ["feature"]),
        NODE("Conv", ["feature", "boxes"], ["box"], name="box_head"),
        NODE("Conv", ["feature", "scores"], ["logit"], name="score_head"),
        NODE("Sigmoid", ["logit"], ["score"]),
        NODE("Concat", ["box", "score"], ["y"], axis=1),
    ]
    weights = {"w0": floats(WIDTH, WIDTH, 1, 1) / 4, "scale": scale, "boxes": boxes, "scores": scores * 20}
    return model_of(nodes, [value("x", ["N", WIDTH, 6, 6])], [value("y", ["N", 7, 6, 6])], opset=18, **weights)


def quantised(model: onnx.ModelProto) -> set[str]:
    """The products whose weight has a pair."""
    maker = {name: node for node in model.graph.node for name in node.output}
    return {
        node.name
        for node in model.graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm") and maker.get(node.input[1], node).op_type == "DequantizeLinear"
    }


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_head_that_loses_its_scores_stays_in_float(place: Workplace, runtime: str) -> None:
    save(place, detector(), **ROWS)
    prepared = place.prepare(JOB + f"variants: {{precision: [int8], runtime: [{runtime}]}}")
    made = graph_of(prepared, Role.MODEL_QDQ)
    assert hold_to_qdq_rules(made) > 0
    assert quantised(made) == {"stem", "box_head"}
    told = [line for line in place.progress if "stay in float" in line]
    assert len(told) == 1
    assert "score_head stay in float: with all products quantised, output 'y': " in told[0]
    place.prepare(JOB + f"variants: {{precision: [int8], runtime: [{runtime}]}}")
    assert told[0] in place.progress  # from the cache, and told all the same


def test_what_needs_nothing_in_float_has_nothing_in_float(place: Workplace) -> None:
    save(place, network(), image=floats(40, 2, 6, 6), words=np.arange(40) % 5)
    prepared = place.prepare(JOB + "variants: {precision: [int8]}")
    assert len(quantised(graph_of(prepared, Role.MODEL_QDQ))) == 3
    assert not any("float:" in line for line in place.progress)


def hopeless() -> onnx.ModelProto:
    """All that the only product would need is lost where it is quantised."""
    weight = np.zeros((4, 3), np.float32)
    weight[1:] = floats(3, 3)
    return model_of([NODE("MatMul", ["x", "w"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 3])], w=weight)


def test_a_network_is_not_called_int8_with_nothing_quantised(place: Workplace) -> None:
    save(place, hopeless(), x=floats(40, 4) * np.float32([1e4, 1, 1, 1]))
    error = place.refused(JOB + "variants: {precision: [int8]}")
    assert "in int8, output 'y' is too far from FP32" in error.message


def counts(boxes: int) -> onnx.ModelProto:
    """Boxes and their scores through NMS: as many rows as survive."""
    nodes = [
        NODE("MatMul", ["x", "wb"], ["b"]),
        NODE("Sigmoid", ["b"], ["boxes"]),
        NODE("MatMul", ["x", "ws"], ["s"]),
        NODE("Sigmoid", ["s"], ["s1"]),
        NODE("Transpose", ["s1"], ["scores"], perm=[0, 2, 1]),
        NODE("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["y"]),
    ]
    numbers: dict[str, Any] = {"most": np.array([boxes]), "iou": np.float32([0.5]), "least": np.float32([0.5])}
    weights = {"wb": floats(8, 4) / 3, "ws": floats(8, 2) / 3}
    inputs = [value("x", [1, boxes, 8])]
    return model_of(nodes, inputs, [value("y", ["K", 3], onnx.TensorProto.INT64)], **weights, **numbers)


def test_another_number_of_boxes_is_said(place: Workplace) -> None:
    save(place, counts(300), x=floats(8, 300, 8))
    error = place.refused(JOB + "check: {outputs: {y: {rule: cosine}}}\nvariants: {precision: [int8]}")
    assert "rows instead of" in error.message
    assert "check: {rule: set}" in error.hint


def body() -> onnx.ModelProto:
    """A convolution whose output a loop adds to itself, with a weight that the body reads from outside."""
    inner = onnx.helper.make_graph(
        [
            NODE("Identity", ["go"], ["go_on"]),
            NODE("Conv", ["carried", "wl"], ["next"]),
            NODE("ReduceMax", ["next"], ["seen"], axes=[1, 2, 3], keepdims=0),
        ],
        "body",
        [
            value("i", [], onnx.TensorProto.INT64),
            value("go", [], onnx.TensorProto.BOOL),
            value("carried", ["N", 4, 8, 8]),
        ],
        [value("go_on", [], onnx.TensorProto.BOOL), value("next", ["N", 4, 8, 8]), value("seen", ["N"])],
    )
    nodes = [
        NODE("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], name="first"),
        NODE("Loop", ["times", "true", "c"], ["out", "means"], body=inner),
    ]
    weights = {"w": floats(4, 3, 3, 3), "wl": floats(4, 4, 1, 1)}
    constants: dict[str, Any] = {"times": np.array(3), "true": np.array(True)}
    outputs = [value("out", ["N", 4, 8, 8]), value("means", [3, "N"])]
    return model_of(nodes, [value("x", ["N", 3, 8, 8])], outputs, **weights, **constants)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_body_that_reads_what_is_quantised_outside(place: Workplace, runtime: str) -> None:
    save(place, body(), x=floats(40, 3, 8, 8))
    prepared = place.prepare(JOB + f"variants: {{precision: [int8], runtime: [{runtime}]}}")
    assert quantised(graph_of(prepared, Role.MODEL_QDQ)) == {"first"}


def test_rows_of_a_set_are_never_pooled_by_place() -> None:
    want = {"y": np.arange(30).reshape(10, 3)}
    got = {"y": want["y"][::-1][:9]}
    check = OutputCheck(CheckRule.COSINE, sets=(OutputSet(("y",), 0.9),))
    found = judge_trials([(got, want), (got, want)], check)["y"]
    assert found.passed
    assert "9 of 10 rows matched" in found.detail
