"""What a graph answers when it is given the rows that FP32, or PyTorch, chose: all that a tie of scores cannot change.

A TopK over scores that tie, as those of a network without trained weights, chooses rows by its own order: another order
in half precision is another answer, and no fault. With the choice taken from FP32, what stands before the choice and
behind it is held by place.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import onnx
from onnx import TensorProto, helper

from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tensors import Array

Answers: TypeAlias = Mapping[str, Array]

_GIVEN = "_given"
_INDICES = {"TopK": 1, "NonMaxSuppression": 0}  # which output tells what was chosen


def forced_trials(source: Path, lowered: Path, inputs: Iterable[Answers]) -> list[tuple[Answers, Answers]]:
    """What the lowered graph answers with FP32's choices, and FP32; empty where the choices of both are not alike.

    Raises ModelError where ONNX Runtime cannot run one of them.
    """
    exact, half = onnx.load(str(source)), onnx.load(str(lowered))
    names = _choices(exact.graph)
    if not names or sorted(names) != sorted(_choices(half.graph)):
        return []
    _tell(exact.graph, names)
    _give(half.graph)
    with tempfile.TemporaryDirectory(prefix="choice-") as scratch:
        told = ReferenceSession(_saved(exact, Path(scratch) / "exact"))
        given = ReferenceSession(_saved(half, Path(scratch) / "half"))
        return [_trial(told, given, item, names) for item in inputs]


def answer_with(path: Path, inputs: Answers, taken: Sequence[Array]) -> Answers:
    """What a graph answers when its choices, in order, take these rows; empty where they are not as many.

    Raises ModelError where ONNX Runtime cannot run it with them.
    """
    model = onnx.load(str(path))
    names = _choices(model.graph)
    if len(names) != len(taken):
        return {}
    _give(model.graph)
    given = {name + _GIVEN: array for name, array in zip(names, taken, strict=True)}
    with tempfile.TemporaryDirectory(prefix="choice-") as scratch:
        return ReferenceSession(_saved(model, Path(scratch) / "given")).run({**inputs, **given})


def _trial(
    told: ReferenceSession, given: ReferenceSession, inputs: Answers, names: Sequence[str]
) -> tuple[Answers, Answers]:
    want = told.run(inputs)
    chosen = {name + _GIVEN: want[name] for name in names}
    outputs = given.run({**inputs, **chosen})
    return outputs, {name: want[name] for name in outputs}


def _choices(graph: onnx.GraphProto) -> list[str]:
    """The tensors that tell what was chosen."""
    return [name for name in map(_choice, graph.node) if name]


def _choice(node: onnx.NodeProto) -> str:
    place = _INDICES.get(node.op_type, len(node.output))
    return node.output[place] if place < len(node.output) else ""


def _tell(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """The choices become outputs."""
    held = {item.name for item in graph.output}
    graph.output.extend(_indices(name) for name in names if name not in held)


def _give(graph: onnx.GraphProto) -> None:
    """The choices become inputs, and the values of a TopK are those at the places given."""
    names = _choices(graph)
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        name = _choice(node)
        kept += _given_nodes(node, name) if name else [onnx.NodeProto.FromString(node.SerializeToString())]
    del graph.node[:]
    graph.node.extend(kept)
    graph.input.extend(_indices(name + _GIVEN) for name in names)


def _given_nodes(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    made = [helper.make_node("Identity", [name + _GIVEN], [name], name=f"{name}_choice")]
    if node.op_type == "TopK" and node.output[0]:
        axis = next((item.i for item in node.attribute if item.name == "axis"), -1)
        inputs = [node.input[0], name]
        made.append(helper.make_node("GatherElements", inputs, [node.output[0]], axis=axis, name=f"{name}_values"))
    return made


def _indices(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, None)


def _saved(model: onnx.ModelProto, folder: Path) -> Path:
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, location="model.data")
    return path
