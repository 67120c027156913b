"""How large every float tensor of a graph becomes in the reference run: what half precision is held against."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tensors import Array

_FLOAT = onnx.TensorProto.FLOAT
_AT_ONCE = 64  # tensors that are read in one run: each is held in memory


def float_ranges(path: Path, inputs: Mapping[str, Array]) -> dict[str, float]:
    """The largest finite |x| of each float tensor of the top-level graph, by name. Raises ModelError."""
    model = onnx.load(str(path), load_external_data=False)
    typed = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 1 << 31 else model
    names = [item.name for item in typed.graph.value_info if item.type.tensor_type.elem_type == _FLOAT]
    given = {item.name for item in model.graph.output}
    found = {name: _largest(array) for name, array in inputs.items() if array.dtype.kind == "f"}
    for some in _groups([name for name in names if name not in given]):
        found |= _measure(model, path, some, inputs)
    return found


def _measure(model: onnx.ModelProto, path: Path, names: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, float]:
    """Runs a copy that also gives these tensors; beside the original, whose external data it reads."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="ranges-", suffix=".onnx") as file:
        file.write(probe.SerializeToString())
        file.flush()
        answers = ReferenceSession(Path(file.name)).run(inputs)
    return {name: _largest(array) for name, array in answers.items() if array.dtype.kind == "f"}


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))


def _groups(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[begin : begin + _AT_ONCE] for begin in range(0, len(names), _AT_ONCE)) if names else iter([[]])
