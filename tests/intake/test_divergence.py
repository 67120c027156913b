"""The first layer of a lowered graph that leaves FP32: overflow in half, steps that are too coarse in int8."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.intake.find_divergence import bisect, find_suspects, mark
from controller.intake.graph.tensors import write_npy
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.divergence import first_divergence, with_first_layer
from controller.model.job import CheckRule, OutputCheck

CHECK = OutputCheck(CheckRule.COSINE, min_cosine=0.99)
NODE = helper.make_node
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((4, 8)).astype(np.float32)
WEIGHTS = RANDOM.standard_normal((8, 8)).astype(np.float32)


def quiet(line):
    pass


def save(path, nodes, *, half=False, outputs=("y",), **constants):
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 8]) for name in outputs],
        [numpy_helper.from_array(np.asarray(item), name) for name, item in constants.items()],
        value_info=[helper.make_tensor_value_info(name, kind, [4, 8]) for name in ("a", "b", "c")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def layers(read="x", made="y"):
    return [
        NODE("MatMul", [read, "w"], ["a"], name="first"),
        NODE("Mul", ["a", "large"], ["b"], name="grows"),
        NODE("Mul", ["b", "small"], ["c"], name="shrinks"),
        NODE("MatMul", ["c", "w"], [made], name="last"),
    ]


@pytest.fixture
def overflowing(tmp_path):
    """In FP32 a factor of 1e5 and back again is nothing; in half it is infinite."""
    large, small = np.float32(1e5), np.float32(1e-5)
    fp32 = save(tmp_path / "fp32.onnx", layers(), w=WEIGHTS, large=large, small=small)
    half = {"w": WEIGHTS.astype(np.float16), "large": np.float16(6e4), "small": np.float16(1 / 6e4)}
    casts = [NODE("Cast", ["x"], ["x16"], to=TensorProto.FLOAT16)], [NODE("Cast", ["y16"], ["y"], to=TensorProto.FLOAT)]
    lowered = save(tmp_path / "fp16.onnx", [*casts[0], *layers("x16", "y16"), *casts[1]], half=True, **half)
    return fp32, lowered


def test_an_overflow_in_half_is_named_where_it_happens(overflowing):
    found = first_divergence(*overflowing, {"x": X}, CHECK, progress=quiet)
    assert found.first is not None
    assert (found.first.op, found.first.layer, found.first.tensor) == ("Mul", "grows", "b")
    assert "are not finite" in found.first.reason
    assert "half precision ends at 65504" in found.first.reason
    assert [layer.layer for layer in found.before] == ["first"]
    # This CPU computes half in float32: the overflow is seen where it is looked for, and not in the output.
    assert [layer.passed for layer in found.outputs] == [True]
    assert (found.compared, found.tensors) == (2, 4)


def quantised(name, made, *, scale, kind):
    """A pair of Quantize and Dequantize, and the constants that it reads."""
    constants = {f"{name}_s": np.float32(scale), f"{name}_z": np.zeros((), kind)}
    pair = [
        NODE("QuantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_q"]),
        NODE("DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [made]),
    ]
    return pair, constants


def test_steps_that_are_too_coarse_are_named_with_what_they_hide(tmp_path):
    nodes = [NODE("Relu", ["x"], ["a"], name="relu"), NODE("MatMul", ["a", "w"], ["y"], name="product")]
    fp32 = save(tmp_path / "fp32.onnx", nodes, w=WEIGHTS)
    pair, constants = quantised("a", "a_dq", scale=3.0, kind=np.int8)
    product = NODE("MatMul", ["a_dq", "w"], ["y"], name="product")
    lowered = save(tmp_path / "int8.onnx", [nodes[0], *pair, product], w=WEIGHTS, **constants)
    found = first_divergence(fp32, lowered, {"x": X}, CHECK, progress=quiet)
    assert found.first is not None
    assert (found.first.layer, found.first.op) == ("product", "MatMul")
    assert "reads a in steps of 3" in found.first.reason


def test_what_does_not_lead_to_the_output_that_fails_is_not_blamed(tmp_path):
    """Of two branches one is broken, and the other one's tensor differs too, but nobody asks for it."""

    def branches(scale):
        return [
            NODE("Mul", ["x", "one"], ["a"], name="left"),
            NODE("Mul", ["x", "two"], ["b"], name="right"),
            NODE("Relu", ["b"], ["c"], name="used"),
            NODE("Add", ["c", "a"], ["y"], name="sum"),
            NODE("Identity", ["x"], ["z"], name="aside"),
        ]

    fp32 = save(tmp_path / "a.onnx", branches(1), outputs=("y", "z"), one=np.float32(1), two=np.float32(2))
    lowered = save(tmp_path / "b.onnx", branches(1), outputs=("y", "z"), one=np.float32(1), two=np.float32(-2))
    found = first_divergence(fp32, lowered, {"x": X}, CHECK, progress=quiet)
    assert found.first is not None
    assert found.first.layer == "right"
    assert {layer.tensor: layer.passed for layer in found.outputs} == {"y": False, "z": True}


def test_graphs_that_agree_have_no_first(overflowing):
    found = first_divergence(overflowing[0], overflowing[0], {"x": X}, CHECK, progress=quiet)
    assert found.first is None
    assert [layer.passed for layer in found.outputs] == [True]


def test_the_child_answers_the_same(overflowing, tmp_path):
    write_npy(tmp_path / "x.npy", X)
    lines = []
    found = bisect(*overflowing, {"x": tmp_path / "x.npy"}, CHECK, progress=lines.append)
    assert found == first_divergence(*overflowing, {"x": X}, CHECK, progress=quiet)
    assert "comparing 4 tensors" in lines[-1]


def test_a_refusal_says_where_it_begins(overflowing: tuple[Path, Path]):
    error = with_first_layer(ModelError("too far", hint="compare"), *overflowing, {"x": X}, CHECK)
    assert error.message.startswith("too far; it begins at Mul 'grows': 17 of 32 values are not finite")
    assert error.hint == "compare"


def test_a_marked_graph_tells_the_tensor_in_float32_beside_its_outputs(overflowing, tmp_path):
    """What a device builds to be asked. This CPU carries half in float32, and an output more does not change that."""
    fp32, lowered = overflowing
    suspects = find_suspects(fp32, [fp32, lowered], ["y"])
    assert [(item.tensor, item.layer, item.op, item.reads) for item in suspects] == [
        ("a", "first", "MatMul", ()),
        ("b", "grows", "Mul", ("a",)),
        ("c", "shrinks", "Mul", ("b",)),
        ("y", "last", "MatMul", ("c",)),
    ]
    write_npy(tmp_path / "x.npy", X)
    (out := tmp_path / "out").mkdir()
    made = mark(fp32, [fp32, lowered], {"x": tmp_path / "x.npy"}, "b", out)
    assert made.label == "bisect_b"
    wanted = np.load(made.reference)
    assert np.allclose(wanted, X @ WEIGHTS * 1e5, rtol=1e-4)
    found = []
    for graph in made.graphs:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        assert [item.name for item in session.get_outputs()] == ["y", "bisect_b"]
        found.append(session.run(["bisect_b"], {"x": X})[0])
    assert {str(array.dtype) for array in found} == {"float32"}
    assert np.array_equal(found[0], wanted)
    assert np.allclose(found[1], X @ WEIGHTS * 6e4, rtol=0.01, atol=100)  # the lowered graph's own factor
