"""Whether a reference can be held against anything: finite somewhere, the same twice, and not a constant."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.agreement import ATOL, RTOL
from controller.intake.graph.nodes import walk
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from jetfleet.outputs.judge import reference_fault, reference_weakness

_RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
)
_NAME_INPUTS = "give data (model.data), or set `values` under model.inputs; these were made: "


def refuse_useless(outputs: Mapping[str, Array], *, stand_ins: str) -> list[str]:
    """Raises ModelError for an output that nothing can be held against; returns notes on those that show little."""
    for name, array in outputs.items():
        if fault := reference_fault(array):
            raise ModelError(
                f"the reference cannot be used: of output {name!r}, {fault}",
                steps=("model", "inputs") if stand_ins else ("model",),
                expected="outputs with finite numbers in them",
                hint=f"the inputs may be the cause: {_NAME_INPUTS}{stand_ins}" if stand_ins else "look at the data",
            )
    weak = {name: reference_weakness(array) for name, array in outputs.items()}
    made = f"; {_NAME_INPUTS}{stand_ins}" if stand_ins else ""
    return [
        f"note: output {name!r} of the reference shows few faults: {weakness}{made}"
        for name, weakness in weak.items()
        if weakness
    ]


def refuse_unstable(first: Mapping[str, Array], second: Mapping[str, Array], *, graph: Path | None) -> None:
    """Raises ModelError where two runs on the same inputs differ, and names the first node that is random."""
    name = first_difference(first, second)
    if name:
        raise unstable(name, random_node(onnx.load_model(str(graph), load_external_data=False)) if graph else "")


def first_difference(first: Mapping[str, Array], second: Mapping[str, Array]) -> str:
    """The output in which two answers differ; empty: in none."""
    return next((name for name, array in first.items() if not _is_same(array, second[name])), "")


def unstable(output: str, culprit: str, *, where: str = "", steps: Steps = ("model",)) -> ModelError:
    why = f"; {culprit} is random" if culprit else ""
    return ModelError(
        f"the model answers differently each time: two runs differ in output {output!r}{why}",
        steps=steps,
        where=where,
        expected="a model that gives one answer to one input",
        hint="leave dropout and noise out of it (export in evaluation mode), or make the noise an input",
    )


def random_node(model: onnx.ModelProto) -> str:
    """The first node that draws random numbers: its name and operator; empty: there is none."""
    weights = {item.name: item for item in model.graph.initializer}
    for graph in (model.graph, *model.functions):
        for node in walk(graph):
            if node.op_type in _RANDOM or (node.op_type == "Dropout" and _is_training(node, weights)):
                return f"node {node.name or node.output[0]!r} ({node.op_type})"
    return ""


def _is_training(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    if len(node.input) < 3 or not node.input[2]:
        return False
    held = weights.get(node.input[2])
    return held is None or bool(onnx.numpy_helper.to_array(held).any())


def _is_same(first: Array, second: Array) -> bool:
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        return False
    if first.dtype.kind != "f":
        return bool(np.array_equal(first, second))
    return bool(np.allclose(first, second, rtol=RTOL, atol=ATOL, equal_nan=True))
