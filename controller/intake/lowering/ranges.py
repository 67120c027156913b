"""How large every float tensor of a graph becomes in the reference run: what half precision is held against."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError

_FLOAT = onnx.TensorProto.FLOAT
_SUFFIX = "/largest"
_AT_ONCE = 64  # tensors that are read whole in one run: each is held in memory


def float_ranges(path: Path, inputs: Mapping[str, Array]) -> dict[str, float]:
    """The largest finite |x| of each float tensor of the top-level graph, by name. Raises ModelError."""
    model = onnx.load(str(path), load_external_data=False)
    names = _float_tensors(model)
    found = {name: _largest(array) for name, array in inputs.items() if array.dtype.kind == "f"}
    try:
        found |= _reduced(model, path, names, inputs)
    except ModelError:  # no maximum of an empty tensor, for one
        found |= dict.fromkeys(names, math.inf)
    # An infinity may hide a finite value, and a NaN anything: these are read whole.
    open_names = [name for name in names if not math.isfinite(found[name])]
    for begin in range(0, len(open_names), _AT_ONCE):
        found |= _whole(model, path, open_names[begin : begin + _AT_ONCE], inputs)
    return found


def _float_tensors(model: onnx.ModelProto) -> list[str]:
    typed = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 1 << 31 else model
    made = {name for node in model.graph.node for name in node.output}
    items = (*typed.graph.value_info, *typed.graph.output)
    floats = (item.name for item in items if item.type.tensor_type.elem_type == _FLOAT)
    return [name for name in dict.fromkeys(floats) if name in made]


def _reduced(model: onnx.ModelProto, path: Path, names: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, float]:
    """In one run, with a maximum behind each tensor, so that none of them is kept."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for name in names:
        size, largest = f"{name}/abs", f"{name}{_SUFFIX}"
        probe.graph.node.append(onnx.helper.make_node("Abs", [name], [size]))
        probe.graph.node.append(onnx.helper.make_node("ReduceMax", [size], [largest], keepdims=0))
        probe.graph.output.append(onnx.helper.make_tensor_value_info(largest, _FLOAT, []))
    answers = _run(probe, path, inputs)
    return {name.removesuffix(_SUFFIX): float(array) for name, array in answers.items()}


def _whole(model: onnx.ModelProto, path: Path, names: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, float]:
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return {name: _largest(array) for name, array in _run(probe, path, inputs).items()}


def _run(probe: onnx.ModelProto, path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Beside the original, whose external data it reads."""
    if not probe.graph.output:
        return {}
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="ranges-", suffix=".onnx") as file:
        file.write(probe.SerializeToString())
        file.flush()
        return ReferenceSession(Path(file.name)).run(inputs)


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))
