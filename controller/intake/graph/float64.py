"""Models in float64, which is none of the precisions: found, and brought to float32 where they lie. Knows ONNX only.

Not every float64 tensor makes such a model: positions and constants are often held in float64 inside of a network in
float32, and stay so. A model is in float64 by what it takes, gives and multiplies.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.graph.nodes import messages, walk
from controller.intake.graph.normalise import held_names
from controller.intake.graph.onnx_files import GraphFiles, describe
from controller.intake.graph.reference import ReferenceSession
from controller.intake.graph.tensors import Array

_DOUBLE, _FLOAT = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
_MULTIPLYING = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "LSTM", "GRU", "RNN"))
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_datatype", "stash_type"})
_EXTERNAL_OVER_BYTES = 1 << 30
_DATA_NAME = "float32.data"


def float64_tensor(model: onnx.ModelProto) -> str:
    """The tensor by which a model is seen to be in float64; empty: it is not."""
    graph, held = model.graph, held_names(model.graph)
    ports = [*(item for item in graph.input if item.name not in held), *graph.output]
    found = [item.name for item in ports if item.type.tensor_type.elem_type == _DOUBLE]
    doubles = set(_doubles(model))
    found += [name for node in walk(graph) if node.op_type in _MULTIPLYING for name in node.input if name in doubles]
    return found[0] if found else ""


def _doubles(model: onnx.ModelProto) -> Iterator[str]:
    typed = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 1 << 31 else model
    for graph in messages(typed, onnx.GraphProto):
        yield from (item.name for item in graph.initializer if item.data_type == _DOUBLE)
        items = (*graph.input, *graph.value_info, *graph.output)
        yield from (item.name for item in items if item.type.tensor_type.elem_type == _DOUBLE)


def in_float32(files: GraphFiles) -> GraphFiles:
    """The model in float32, in place of the one in float64; the same where it is not in float64. Raises ModelError."""
    model = onnx.load_model(str(files.path), load_external_data=False)
    seen = float64_tensor(model)
    if not seen:
        return files
    model = onnx.load_model(str(files.path))
    cut = _convert(model)
    for name in files.data:
        (files.folder / name).unlink()
    large = model.ByteSize() > _EXTERNAL_OVER_BYTES
    onnx.save_model(model, str(files.path), save_as_external_data=large, location=_DATA_NAME)
    said = f"float64 (tensor {seen!r}), which is none of the precisions: all of it is float32 now"
    if cut:
        said += f"; {cut} numbers beyond float32 are the largest that it holds"
    plain = onnx.load_model(str(files.path), load_external_data=False)
    made = describe(files.folder, (_DATA_NAME,) if large else (), plain)
    return GraphFiles(made.folder, made.data, made.inputs, made.outputs, (*files.changes, said))


def run_in_float64(source: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What the model answers as it was, in float32. `inputs`: in float32. Raises ModelError."""
    model = onnx.load_model(str(source), load_external_data=False)
    doubles = {item.name for item in model.graph.input if item.type.tensor_type.elem_type == _DOUBLE}
    given = {name: array.astype(np.float64) if name in doubles else array for name, array in inputs.items()}
    found = ReferenceSession(source).run(given)
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in found.items()}


def _convert(model: onnx.ModelProto) -> int:
    """Changes every type that is written down; returns how many finite numbers float32 does not hold."""
    cut = 0
    for tensor in messages(model, onnx.TensorProto):
        if tensor.data_type == _DOUBLE:
            array = numpy_helper.to_array(tensor)
            largest = np.finfo(np.float32).max
            cut += int((np.isfinite(array) & (np.abs(array) > largest)).sum())
            kept = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
            tensor.CopyFrom(numpy_helper.from_array(kept.astype(np.float32), tensor.name))
    for kind in messages(model, onnx.TypeProto.Tensor):
        if kind.elem_type == _DOUBLE:
            kind.elem_type = _FLOAT
    for attribute in messages(model, onnx.AttributeProto):
        if attribute.name in _TYPE_ATTRIBUTES and attribute.i == _DOUBLE:
            attribute.i = _FLOAT
    return cut
