"""If, Loop and Scan under half precision: their bodies keep float32, and nothing passes for half because of it."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.true_half import both

BOTH = "model: {onnx: m.onnx}\nvariants: {precision: [fp32, fp16]}"


def branch(name: str, width: int, *, reads: str) -> onnx.GraphProto:
    """A layer with a weight and a constant of its own."""
    nodes = [
        NODE("Constant", [], ["k"], value_float=1.5),
        NODE("MatMul", [reads, "inner"], ["m"]),
        NODE("Mul", ["m", "k"], ["o"]),
    ]
    held = [onnx.numpy_helper.from_array(floats(4, width), "inner")]
    return helper.make_graph(nodes, name, [], [value("o", ["N", width])], held)


def speech(*, before: bool) -> onnx.ModelProto:
    """As Silero's voice detector is exported: the rate of the sound chooses one of two whole networks."""
    reads = "a" if before else "x"
    choose = NODE(
        "If",
        ["fast"],
        ["y"],
        name="by_rate",
        then_branch=branch("at16k", 3, reads=reads),
        else_branch=branch("at8k", 3, reads=reads),
    )
    nodes = [NODE("MatMul", ["x", "w"], ["a"])] if before else []
    nodes += [NODE("Equal", ["sr", "rate"], ["fast"]), choose]
    weights = {"rate": np.array(16000), **({"w": floats(4, 4)} if before else {})}
    return model_of(
        nodes, [value("x", ["N", 4]), value("sr", [], TensorProto.INT64)], [value("y", ["N", 3])], **weights
    )


def test_a_model_whose_layers_all_stand_in_bodies_has_no_fp16(place: Workplace) -> None:
    place.model(speech(before=False))
    fp32, fp16 = place.prepare(BOTH).spec.variants
    assert fp32.refusal == ""
    assert "none of its 2 layers would compute in half" in fp16.refusal
    assert "bodies of If 'by_rate' (6 nodes, 2 of them layers)" in fp16.refusal


def test_bodies_are_listed_among_what_keeps_float32(place: Workplace) -> None:
    place.model(speech(before=True))
    assert [item.refusal for item in place.prepare(BOTH).spec.variants] == ["", ""]
    told = "fp16: by_rate keeps float32: so do the bodies of If 'by_rate' (6 nodes, 2 of them layers)"
    assert told in place.progress


def test_a_body_is_left_as_it_was(tmp_path: Path) -> None:
    model = speech(before=True)
    made, (got,), (want,) = both(model, {"x": floats(2, 4), "sr": np.array(16000)}, tmp_path)
    assert np.allclose(got, want, atol=2e-2)
    (choose,) = (node for node in made.model.graph.node if node.op_type == "If")
    for body in (item.g for item in choose.attribute):
        assert [node.op_type for node in body.node] == ["Constant", "MatMul", "Mul"]
        assert [item.data_type for item in body.initializer] == [TensorProto.FLOAT]
