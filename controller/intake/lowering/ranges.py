"""Reads from a reference run how large every float tensor of a graph becomes, what is added up, and what is masked."""

import contextlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.probe import Probe
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.accumulations import accumulates, largest_sum
from controller.intake.lowering.near_numbers import NearNumbers, normalised_axes
from controller.intake.lowering.seen_values import Difference, SeenValues

_FLOAT = onnx.TensorProto.FLOAT
_LARGEST, _SHAPE, _ROWS = "/largest", "/shape", "/rows"
_AT_ONCE = 64  # tensors that are read whole in one run: each is held in memory
_MASKED = -1000.0  # a row all of which lies below this has been masked: half precision tells it apart by 0.5 or less


def seen_values(path: Path, inputs: Mapping[str, Array], *, others: Iterable[Mapping[str, Array]] = ()) -> SeenValues:
    """Of the top-level graph; in `others`, of other sizes, masked rows alone are looked for. Raises ModelError."""
    model = onnx.load(str(path), load_external_data=False)
    typed = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 1 << 31 else model
    names = _float_tensors(typed)
    found = {name: _largest(array) for name, array in inputs.items() if array.dtype.kind == "f"}
    shapes = Probe(model)
    summing = [node for node in model.graph.node if accumulates(node)]
    for name in dict.fromkeys(name for node in summing for name in (node.input[0], node.output[0])):
        shapes.add("Shape", name, _SHAPE)
    sizes = {name: tuple(map(int, array)) for name, array in shapes.run(path, inputs).items()}
    near: dict[str, Difference] = {}
    try:
        sizes_of, near = _reduced(model, typed, path, names, inputs)
        found |= sizes_of
    except ModelError:  # no maximum of an empty tensor, for one
        found |= {name: math.inf for name in names if name not in found}
    # An infinity may hide a finite value, and a NaN anything: these are read whole.
    open_names = [name for name in names if not math.isfinite(found[name])]
    for begin in range(0, len(open_names), _AT_ONCE):
        found |= _whole(model, path, open_names[begin : begin + _AT_ONCE], inputs)
    sums = {
        node.output[0]: largest_sum(node, sizes[node.input[0]], sizes[node.output[0]], largest=found[node.input[0]])
        for node in summing
        if node.input[0] in found
    }
    return SeenValues(found, sums, _masked_rows(model, typed, path, [inputs, *others]), near)


def _float_tensors(typed: onnx.ModelProto) -> list[str]:
    made = {name for node in typed.graph.node for name in node.output}
    items = (*typed.graph.value_info, *typed.graph.output)
    floats = (item.name for item in items if item.type.tensor_type.elem_type == _FLOAT)
    return [name for name in dict.fromkeys(floats) if name in made]


def _reduced(
    model: onnx.ModelProto, typed: onnx.ModelProto, path: Path, names: Iterable[str], inputs: Mapping[str, Array]
) -> tuple[dict[str, float], dict[str, Difference]]:
    """In one run, with a maximum behind each tensor, so that none of them is kept."""
    probe = Probe(model)
    asked = NearNumbers(typed)
    for name in dict.fromkeys([*names, *asked.tensors()]):
        probe.node("Abs", [name], f"{name}/abs")
        probe.node("ReduceMax", [f"{name}/abs"], f"{name}{_LARGEST}", keepdims=0)
        probe.ask(f"{name}{_LARGEST}", name)
    asked.ask(probe)
    answers = {name: float(array) for name, array in probe.run(path, inputs).items()}
    return {name: answers[name] for name in names}, asked.found(answers)


def _masked_rows(
    model: onnx.ModelProto, typed: onnx.ModelProto, path: Path, runs: Iterable[Mapping[str, Array]]
) -> dict[str, float]:
    """Of what each Softmax reads: the maximum of that row whose maximum is the lowest, where it has been masked."""
    probe = _rows_probe(model, typed)
    found: dict[str, float] = {}
    for inputs in runs:
        with contextlib.suppress(ModelError):  # no maximum of an empty tensor: then there is no row either
            for name, array in probe.run(path, inputs).items():
                found[name] = min(float(array), found.get(name, 0.0))
    return {name: row for name, row in found.items() if row < _MASKED}


def _rows_probe(model: onnx.ModelProto, typed: onnx.ModelProto) -> Probe:
    probe = Probe(model)
    for name, axes in dict(normalised_axes(typed, probe.opset)).items():
        highest = probe.reduced("ReduceMax", name, axes, f"{name}{_ROWS}/highest")
        probe.node("ReduceMin", [highest], f"{name}{_ROWS}", keepdims=0)
        probe.ask(f"{name}{_ROWS}", name)
    return probe


def _whole(model: onnx.ModelProto, path: Path, names: Iterable[str], inputs: Mapping[str, Array]) -> dict[str, float]:
    probe = Probe(model)
    for name in names:
        probe.ask(name, name)
    return {name: _largest(array) for name, array in probe.run(path, inputs).items()}


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))
