"""What one inference of a graph does: floating-point operations and bytes, counted from its shapes.

Products count (convolutions, matrices): of everything else a network's arithmetic is a rounding error. A shape that
cannot be inferred is taken from a run. A graph whose shapes depend on values, or that branches and loops, is not
counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TypeAlias

import onnx

from controller.intake.graph.probe import Probe
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.model.job import Workload

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

_BODIES = frozenset({"If", "Loop", "Scan"})
_SIZED_BY_VALUES = frozenset({"NonZero", "NonMaxSuppression", "Unique", "Compress"})  # another image, another size
_LARGEST = 1 << 31  # bytes of a message: beyond, shapes are not inferred
_FLOAT_BYTES = 4


def count_workload(path: Path, inputs: Mapping[str, Array]) -> Workload | None:
    """`inputs` are of the sizes that one inference has. None where it cannot be counted."""
    model = onnx.load_model(str(path), load_external_data=False)
    if model.ByteSize() >= _LARGEST or any(node.op_type in _BODIES for node in model.graph.node):
        return None
    weights = {item.name: tuple(item.dims) for item in model.graph.initializer}
    sizes = {name: array.shape for name, array in inputs.items()}
    shapes = {**_inferred(model, sizes), **weights}
    shapes |= _seen(model, path, inputs, shapes)
    try:
        flop = sum(_PRODUCTS[node.op_type](node, shapes) for node in model.graph.node if node.op_type in _PRODUCTS)
    except (KeyError, IndexError):
        return None
    weights |= _made_by(shapes, (node for node in model.graph.node if node.op_type == "Constant"))
    made = _made_by(shapes, (node for node in model.graph.node if node.op_type != "Constant"))
    read = sum(map(prod, sizes.values()))
    return Workload(
        flop=flop,
        weight_bytes=_FLOAT_BYTES * sum(map(prod, weights.values())),
        tensor_bytes=_FLOAT_BYTES * (read + 2 * sum(map(prod, made.values()))),
    )


def _made_by(shapes: Shapes, nodes: Iterable[onnx.NodeProto]) -> dict[str, tuple[int, ...]]:
    """Those of known shape. Some exporters hold every weight as a constant of a node."""
    return {name: shapes[name] for node in nodes for name in node.output if name in shapes}


def _inferred(model: onnx.ModelProto, inputs: Shapes) -> dict[str, tuple[int, ...]]:
    """Every tensor whose size is known once the inputs' are."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for item in sized.graph.input:
        if item.name in inputs:
            _set_sizes(item, inputs[item.name])
    for item in sized.graph.output:  # said with open sizes, it would stay open
        item.type.tensor_type.ClearField("shape")
    del sized.graph.value_info[:]
    typed = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    known = {item.name: _sizes(item) for item in (*typed.input, *typed.value_info, *typed.output)}
    return {name: sizes for name, sizes in known.items() if sizes is not None}


def _seen(model: onnx.ModelProto, path: Path, inputs: Mapping[str, Array], known: Shapes) -> dict[str, tuple[int, ...]]:
    """What shape inference lost, say behind a Reshape to a shape that the graph computes, as it was in one run."""
    probe = Probe(model)
    for name in _sized_by_shapes(model.graph):
        if name not in known:
            probe.add("Shape", name, "/shape")
    try:
        return {name: tuple(map(int, array)) for name, array in probe.run(path, inputs).items()}
    except ModelError:  # no tensor, but a sequence, for one
        return {}


def _sized_by_shapes(graph: onnx.GraphProto) -> Iterator[str]:
    """Tensors whose sizes are those of the inputs alone, whatever these hold."""
    by_values: set[str] = set()
    for node in graph.node:
        if node.op_type in _SIZED_BY_VALUES or by_values.intersection(node.input):
            by_values.update(node.output)
        else:
            yield from filter(None, node.output)


def _set_sizes(item: onnx.ValueInfoProto, sizes: Sequence[int]) -> None:
    shape = item.type.tensor_type.shape
    del shape.dim[:]
    for size in sizes:
        shape.dim.add().dim_value = size


def _sizes(item: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    dims = item.type.tensor_type.shape.dim
    if not item.type.tensor_type.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        return None
    return tuple(int(dim.dim_value) for dim in dims)


def _conv(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Each output is a sum over the kernel and the channels of its group."""
    return 2 * prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


def _conv_transpose(node: onnx.NodeProto, shapes: Shapes) -> int:
    return 2 * prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _matmul(node: onnx.NodeProto, shapes: Shapes) -> int:
    return 2 * prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: onnx.NodeProto, shapes: Shapes) -> int:
    transposed = any(item.name == "transA" and item.i for item in node.attribute)
    factor: Sequence[int] = shapes[node.input[0]]
    return 2 * prod(shapes[node.output[0]]) * factor[0 if transposed else 1]


_PRODUCTS: Mapping[str, Callable[[onnx.NodeProto, Shapes], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _gemm,
}
