"""FP16 graphs for real: made by the tools from awkward models, run by ONNX Runtime, held against FP32."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from controller.intake.graph.onnx_files import lay_out
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.float16 import to_float16
from controller.intake.lowering.precision import compare, lower
from controller.intake.lowering.seen_values import SeenValues
from tests.intake.graphs import FP16, NODE, floats, model_of, value


def lowered(folder: Path, model: onnx.ModelProto, references: Any) -> tuple[onnx.ModelProto, list[str]]:
    """The FP16 graph of a model, held against the model's own answers."""
    onnx.save_model(model, str(folder / "m.onnx"))
    (folder / "laid").mkdir()
    laid = lay_out(folder / "m.onnx", folder / "laid")
    progress: list[str] = []
    session = onnxruntime.InferenceSession(str(laid.path), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    wanted = dict(zip(names, session.run(names, references), strict=True))
    held = [(references, wanted)]
    made = lower(laid, FP16, None, held, seen=SeenValues(), cache=folder / "cache", progress=progress.append)
    compare(laid, made, FP16, held, progress=progress.append)
    return onnx.load(str(made.path)), progress


X = value("x", ["N", 1, 4, 4])
OUT = value("y", ["N", 1, "H", "W"])
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
    made = to_float16(model_of(nodes, [X], [value("y", ["N", 1, 4, 4])])).model
    names = [node.name for node in made.graph.node]
    assert len(set(names)) == len(names)


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


def branch(op: str, reads: str = "a") -> onnx.GraphProto:
    return helper.make_graph([NODE(op, [reads], ["o"])], op, [], [value("o", ["N", 4 if reads == "x" else 3])])
