"""Lowered graphs for real: made by the tools, run by ONNX Runtime, held to what TensorRT demands, refused in words."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from controller.intake.exchange import ModelError, ToLower
from controller.intake.float16 import to_float16
from controller.intake.graph import lay_out
from controller.intake.precision import Lowered, hold, lower, refusal, similarity
from controller.intake.prepare import Prepared
from controller.intake.qdq import check_qdq
from controller.model.job import CheckRule, Precision, Role
from tests.intake.conftest import Workplace, linear

FP16 = ToLower(Precision.FP16, ("variants", "precision", 0), True, 0.999, 1.0)
JOB = "model:\n  onnx: m.onnx\n  data: {calibration: c.npz}\n"
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


def graph_of(prepared: Prepared, role: Role) -> onnx.ModelProto:
    (digest,) = {item.sha256 for variant in prepared.spec.variants for item in variant.artifacts if item.role is role}
    return onnx.load(str(prepared.files[digest]))


def roles(prepared: Prepared, precision: Precision) -> set[str]:
    variants = [item for item in prepared.spec.variants if item.precision is precision]
    return {item.role.value for variant in variants for item in variant.artifacts if "model" in item.role.value}


def signature(model: onnx.ModelProto) -> list[tuple[str, int, list[int | str]]]:
    return [
        (
            item.name,
            item.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in item.type.tensor_type.shape.dim],
        )
        for item in (*model.graph.input, *model.graph.output)
    ]


def lowerings(place: Workplace) -> list[str]:
    return [line for line in place.progress if line.startswith("lowering to")]


def test_every_variant_carries_the_graph_of_its_precision(place: Workplace) -> None:
    save(place, network(), **network_rows())
    prepared = place.prepare(JOB + "variants: {precision: [fp32, fp16, int8], batch: [1, 3]}")
    assert roles(prepared, Precision.FP32) == {"model-fp32"}
    assert roles(prepared, Precision.FP16) == {"model-fp16"}
    assert roles(prepared, Precision.INT8) == {"model-qdq"}
    checks = {variant.precision: (variant.check.rule, variant.check.min_cosine) for variant in prepared.spec.variants}
    assert checks[Precision.FP32][0] is CheckRule.CLOSE
    assert checks[Precision.FP16] == (CheckRule.COSINE, 0.999)
    assert checks[Precision.INT8] == (CheckRule.COSINE, 0.99)
    wanted = signature(network())
    for role in (Role.MODEL_FP16, Role.MODEL_QDQ):
        made = graph_of(prepared, role)
        assert [(name, kind) for name, kind, _ in signature(made)] == [(name, kind) for name, kind, _ in wanted]
        assert [shape for _, _, shape in signature(made)][:2] == [["N", 2, 6, 6], ["N"]]
        assert {node.domain for node in made.graph.node} == {""}
        assert {item.domain for item in made.opset_import} == {""}
        onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    assert [line for line in place.progress if "FP32 reference" in line][1].startswith(
        "int8 against the FP32 reference"
    )


def test_only_what_some_variant_needs_is_made(place: Workplace) -> None:
    save(place, network())
    prepared = place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp16]}")
    assert {item.role for item in prepared.spec.variants[0].artifacts} == {
        Role.MODEL_FP16,
        Role.REFERENCE_INPUT,
        Role.REFERENCE_OUTPUT,
    }
    assert lowerings(place) == ["lowering to fp16"]
    place.prepare(
        "model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16], batch: [2], exclude: [{precision: fp16}]}"
    )
    assert not any("fp16" in line for line in place.progress)


def test_an_int8_graph_is_what_tensorrt_takes(place: Workplace) -> None:
    save(place, network(), **network_rows())
    made = graph_of(place.prepare(JOB + "variants: {precision: [int8]}"), Role.MODEL_QDQ)
    held = {item.name: numpy_helper.to_array(item) for item in made.graph.initializer}
    pairs = [
        node for node in made.graph.node if node.op_type.endswith("quantizeLinear") or "QuantizeLinear" in node.op_type
    ]
    assert len(pairs) >= 18
    for node in pairs:
        scale, zero = held[node.input[1]], held[node.input[2]]
        assert (zero.dtype, zero.shape) == (np.int8, scale.shape)
        assert not zero.any()
        assert (scale > 0).all()
    channels = {
        node.input[0]: (held[node.input[1]].shape, next(item.i for item in node.attribute if item.name == "axis"))
        for node in pairs
        if node.op_type == "QuantizeLinear" and node.input[0] in held
    }
    assert channels == {"w1": ((4,), 0), "w2": ((8,), 0), "w3": ((3,), 0)}
    # Biases stay in float: TensorRT dequantises no 32-bit integers.
    assert held["b1"].dtype == held["b3"].dtype == np.float32


def test_weights_of_an_fp16_graph_are_halves(place: Workplace) -> None:
    save(place, network())
    made = graph_of(place.prepare("model: {onnx: m.onnx}\nvariants: {precision: [fp16]}"), Role.MODEL_FP16)
    kinds = {item.name: item.data_type for item in made.graph.initializer}
    assert {kinds[name] for name in ("w1", "b1", "w2", "w3", "b3", "table")} == {TensorProto.FLOAT16}
    types = {item.name: item.type.tensor_type.elem_type for item in made.graph.value_info}
    assert {types[name] for name in ("c1", "r1", "c2", "sum")} == {TensorProto.FLOAT16}
    assert [node.op_type for node in made.graph.node].count("Cast") == 2  # the image in, the scores out


def test_nothing_is_lowered_twice(place: Workplace) -> None:
    rows = network_rows()
    save(place, network(), **rows)
    job = JOB + "variants: {precision: [fp16, int8]}"
    first = place.prepare(job)
    assert lowerings(place) == ["lowering to fp16", "lowering to int8, calibrating with 20 rows"]
    cache = place.state / "cache" / "lowered"
    made = {path: path.stat().st_mtime_ns for path in cache.glob("*/*")}
    again = place.prepare(job)
    assert lowerings(place) == []
    assert "the int8 graph is in the cache" in place.progress
    assert again.files.keys() == first.files.keys()
    assert {path: path.stat().st_mtime_ns for path in cache.glob("*/*")} == made

    np.savez(place.folder / "c.npz", **{**rows, "image": rows["image"] * 2})
    place.prepare(job)
    assert lowerings(place) == ["lowering to int8, calibrating with 20 rows"]

    for path in cache.glob("*/model.onnx"):
        path.write_bytes(b"cut")
    place.prepare(job)
    assert len(lowerings(place)) == 2


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_old_opset_is_raised_where_it_must_be(place: Workplace, precision: str) -> None:
    save(place, network(opset=11), **network_rows())
    prepared = place.prepare(JOB + f"variants: {{precision: [{precision}]}}")
    made = graph_of(prepared, Role.MODEL_QDQ if precision == "int8" else Role.MODEL_FP16)
    assert made.opset_import[0].version == (13 if precision == "int8" else 11)


def lowered(folder: Path, model: onnx.ModelProto, references: Any) -> tuple[onnx.ModelProto, list[str]]:
    """The FP16 graph of a model, held against the model's own answers."""
    onnx.save_model(model, str(folder / "m.onnx"))
    (folder / "laid").mkdir()
    laid = lay_out(folder / "m.onnx", folder / "laid")
    progress: list[str] = []
    made = lower(laid, FP16, None, cache=folder / "cache", progress=progress.append)
    session = onnxruntime.InferenceSession(str(laid.path), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    wanted = dict(zip(names, session.run(names, references), strict=True))
    hold(made, FP16, {1: (references, wanted)}, progress=progress.append)
    return onnx.load(str(made.path)), progress


X = value("x", ["N", 1, 4, 4])
OUT = value("y", ["N", 1, "H", "W"])
NODE = helper.make_node
AWKWARD = {
    "an operator in float32 makes an output": (
        [NODE("Relu", ["x"], ["a"]), NODE("Resize", ["a", "", "scales"], ["y"])],
        [OUT],
    ),
    "an output is read inside": (
        [NODE("Relu", ["x"], ["a"]), NODE("Neg", ["a"], ["y"])],
        [value("a", ["N", 1, 4, 4]), OUT],
    ),
    "a weight is read by both kinds": (
        [NODE("Add", ["x", "w"], ["a"]), NODE("Max", ["a", "w"], ["b"]), NODE("Neg", ["b"], ["y"])],
        [OUT],
    ),
    "constants in nodes": (
        [
            NODE("Constant", [], ["k"], value_float=1.5),
            NODE("Constant", [], ["s"], value=numpy_helper.from_array(np.float32([1, 1, 1.3333, 1.3333]))),
            NODE("Mul", ["x", "k"], ["a"]),
            NODE("Resize", ["a", "", "s"], ["b"]),
            NODE("Neg", ["b"], ["y"]),
        ],
        [OUT],
    ),
    "a cast to float": (
        [
            NODE("Shape", ["x"], ["s"]),
            NODE("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
            NODE("ReduceSum", ["f"], ["n"], keepdims=0),
            NODE("Div", ["x", "n"], ["y"]),
        ],
        [OUT, value("n", [])],
    ),
    "a tensor of the default type": (
        [NODE("Shape", ["x"], ["s"]), NODE("ConstantOfShape", ["s"], ["z"]), NODE("Sub", ["x", "z"], ["y"])],
        [OUT],
    ),
    "a weight beyond half precision": (
        [NODE("Mul", ["x", "huge"], ["a"]), NODE("Div", ["a", "huge"], ["b"]), NODE("Add", ["b", "w"], ["y"])],
        [OUT],
    ),
    "an input read twice, and passed on": (
        [NODE("Relu", ["x"], ["a"]), NODE("Add", ["x", "a"], ["y"]), NODE("Identity", ["x"], ["same"])],
        [OUT, value("same", ["N", 1, 4, 4])],
    ),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_graphs_in_fp16(tmp_path: Path, name: str) -> None:
    nodes, outputs = AWKWARD[name]
    weights = {"scales": np.float32([1, 1, 1.3333, 1.3333]), "w": floats(4), "huge": np.float32([1e8])}
    read = {item for node in nodes for item in node.input}
    model = model_of(nodes, [X], outputs, **{key: array for key, array in weights.items() if key in read})
    made, _ = lowered(tmp_path, model, {"x": floats(2, 1, 4, 4)})
    assert {item.type.tensor_type.elem_type for item in (*made.graph.input, *made.graph.output)} == {TensorProto.FLOAT}


def test_functions_are_inlined(tmp_path: Path) -> None:
    model = model_of([NODE("Twice", ["x"], ["y"], domain="mine")], [X], [value("y", ["N", 1, 4, 4])])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    body = [NODE("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("mine", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    made, _ = lowered(tmp_path, model, {"x": floats(2, 1, 4, 4)})
    assert "Add" in {node.op_type for node in made.graph.node}


def test_names_of_nodes_are_made_unique() -> None:
    nodes = [NODE("Relu", ["x"], ["a"], name="n"), NODE("Neg", ["a"], ["b"], name="n"), NODE("Abs", ["b"], ["y"])]
    made = to_float16(model_of(nodes, [X], [value("y", ["N", 1, 4, 4])]))
    names = [node.name for node in made.graph.node]
    assert len(set(names)) == len(names)


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


ROWS = {"x": floats(9, 4)}
SMALL = {"x": (floats(9, 4) * np.float32(0.001))}


@pytest.mark.parametrize(
    ("model", "rows", "job", "where", "message", "hint"),
    [
        (
            linear(),
            {},
            "model: {onnx: m.onnx}\nvariants: {precision: [fp32, int8]}",
            "job.yaml:4:30",
            "int8 needs data to calibrate with",
            "calibration: FILE.npz",
        ),
        (
            linear(),
            {},
            "model: {onnx: m.onnx, data: {evaluation: e.npz}}\nvariants: {precision: [int8]}",
            "job.yaml:4:24",
            "int8 needs data to calibrate with; evaluation data is never used for it, which would flatter the accuracy",
            "calibration: FILE.npz",
        ),
        (
            linear(),
            {},
            "model: {onnx: m.onnx}\nvariants: {precision: [tf32]}",
            "job.yaml:4:23",
            "onnxruntime has no tf32: it is a mode of NVIDIA's GPUs",
            "",
        ),
        (
            model_of([NODE("Relu", ["x"], ["y"])], [value("x", ["N", 4])], [value("y", ["N", 4])]),
            ROWS,
            JOB + "variants: {precision: [int8]}",
            "job.yaml:6:24",
            "the model cannot be lowered to int8: nothing in it can be quantised: no Conv, ConvTranspose, Gemm, MatMul "
            "among Relu",
            "leave int8 out of variants.precision",
        ),
        (
            half(linear()),
            {},
            "model: {onnx: m.onnx}\nvariants: {precision: [fp16]}",
            "job.yaml:4:24",
            "the model cannot be lowered to fp16: its tensor 'w' is a 16-bit float already",
            "precision fp32 runs it",
        ),
        (
            quantised(),
            ROWS,
            JOB + "variants: {precision: [int8]}",
            "job.yaml:6:24",
            "the model cannot be lowered to int8: it is quantised already, at operator QuantizeLinear 'here'",
            "precision fp32 runs it",
        ),
        (
            linear(),
            SMALL,
            JOB + "  inputs: {x: {values: 'uniform[-1,1]'}}\nvariants: {precision: [int8], batch: [4]}",
            "job.yaml:7:24",
            "in int8, output 'y' is too far from FP32: cosine similarity 0.",
            "calibrate and compare with inputs like those",
        ),
        (
            linear(),
            ROWS,
            JOB + "check: {min_cosine: 1.0}\nvariants: {precision: [fp16, int8], batch: [4]}",
            "job.yaml:7:",
            "in ",
            "set check: {min_cosine: ...}, or check: off",
        ),
    ],
)
def test_refused(
    place: Workplace, model: onnx.ModelProto, rows: dict[str, Any], job: str, where: str, message: str, hint: str
) -> None:
    save(place, model, **rows)
    error = place.refused(job)
    assert error.message.startswith(message)
    assert error.where.startswith(where)
    assert hint in error.hint


def test_check_off_submits_what_is_far_from_fp32(place: Workplace) -> None:
    save(place, linear(), **SMALL)
    inputs = "  inputs: {x: {values: 'uniform[-1,1]'}}\n"
    prepared = place.prepare(JOB + inputs + "check: off\nvariants: {precision: [int8]}")
    assert prepared.spec.variants[0].check.rule is CheckRule.OFF
    assert any(line.startswith("int8 against the FP32 reference: y 0.") for line in place.progress)


def test_calibration_rows_stand_in_for_noise(place: Workplace) -> None:
    save(place, linear(), **ROWS)
    prepared = place.prepare(JOB + "variants: {precision: [int8], batch: [1, 4, 16]}")
    np.testing.assert_array_equal(place.arrays(prepared, "reference-input", 4)["x"], ROWS["x"][:4])
    assert len(place.arrays(prepared, "reference-input", 16)["x"]) == 16  # more than there are rows: noise after all


def test_subgraphs_are_converted_with_what_they_read_outside(tmp_path: Path) -> None:
    nodes = [
        NODE("MatMul", ["x", "w"], ["a"]),
        NODE("If", ["c"], ["y"], then_branch=branch("Neg"), else_branch=branch("Floor")),
        NODE("If", ["c"], ["u"], then_branch=branch("Abs", "x"), else_branch=branch("Neg", "x")),
    ]
    inputs = [value("x", ["N", 4]), value("c", [], TensorProto.BOOL)]
    model = model_of(nodes, inputs, [value("y", ["N", 3]), value("u", ["N", 4])], w=floats(4, 3))
    made, _ = lowered(tmp_path, model, {"x": floats(2, 4), "c": np.array(True)})
    assert {item.data_type for item in made.graph.initializer} == {TensorProto.FLOAT16}


def test_the_operator_that_stops_it_is_named(tmp_path: Path) -> None:
    nodes = [NODE("Gelu", ["x"], ["a"], name="act", domain="com.microsoft"), NODE("MatMul", ["a", "w"], ["y"])]
    model = model_of(nodes, [value("x", ["N", 4])], [value("y", ["N", 3])], w=floats(4, 3))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(ModelError) as caught:
        lowered(tmp_path, model, {"x": floats(2, 4)})
    message = "the model cannot be lowered to fp16: the types of operator Gelu ('act') are not known to ONNX"
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("said", "operator"),
    [
        ("Inference error(s): (op_type:Add, node name: n): no", "Add"),
        ("Type parameter (T) of Optype (Concat) bound to different types", "Concat"),
        ("Fatal error: No Op registered for Perceive with domain_version of 17", "Perceive"),
        ('This is an invalid model. In Node, ("If_0", If, "", -1) : no', "If"),
        ("nothing that names one", ""),
    ],
)
def test_operators_in_the_words_of_the_tools(tmp_path: Path, said: str, operator: str) -> None:
    found = refusal(FP16, said)
    assert found.message == f"the model cannot be lowered to fp16{operator and f' at operator {operator}'}: {said}"
    assert found.steps == FP16.steps


def branch(op: str, reads: str = "a") -> onnx.GraphProto:
    return helper.make_graph([NODE(op, [reads], ["o"])], op, [], [value("o", ["N", 4 if reads == "x" else 3])])


def test_similarity() -> None:
    ones = np.ones(4, dtype=np.float32)
    assert similarity(ones, ones * 2) == pytest.approx(1)
    assert similarity(-ones, ones) == pytest.approx(-1)
    assert similarity(ones * 0, ones * 0) == 1
    assert similarity(ones * 0, ones) == 0
    assert similarity(ones[:3], ones) == 0
    assert similarity(ones.astype(np.float64), ones) == 0
    assert similarity(np.float32([1, np.inf]), np.float32([1, np.inf])) == pytest.approx(1)
    assert similarity(np.float32([1, np.inf]), np.float32([1, 9])) == 0
    assert similarity(np.array([1, 2]), np.array([1, 3])) == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.int8(1)}, "is not a signed 0"),
        ({"z": np.uint8(0)}, "is not a signed 0"),
        ({"s": np.float32(0)}, "is not positive"),
        ({"s": np.float32(np.inf)}, "is not positive"),
        ({"z": None}, "is no constant"),
    ],
)
def test_a_quantiser_that_did_otherwise_is_caught(change: dict[str, Any], message: str) -> None:
    model = quantised()
    check_qdq(model)
    for name, array in change.items():
        (tensor,) = [item for item in model.graph.initializer if item.name == name]
        model.graph.initializer.remove(tensor)
        if array is not None:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    with pytest.raises(ValueError, match=message):
        check_qdq(model)
    with pytest.raises(ValueError, match="left it as it was"):
        check_qdq(linear())


def test_a_lowered_graph_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be lowered to fp16: ONNX Runtime cannot load the model"):
        hold(Lowered(tmp_path, ()), FP16, {}, progress=lambda line: None)


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
    accuracy = {}
    for role in (Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ):
        session = onnxruntime.InferenceSession(graph_of(prepared, role).SerializeToString())
        (scores,) = session.run(None, {"x": images[test]})
        accuracy[role] = float(np.mean(scores.argmax(1) == labels[test]))
    assert accuracy[Role.MODEL_FP32] > 0.9
    assert abs(accuracy[Role.MODEL_FP16] - accuracy[Role.MODEL_FP32]) <= 0.002, accuracy
    assert abs(accuracy[Role.MODEL_QDQ] - accuracy[Role.MODEL_FP32]) <= 0.01, accuracy
