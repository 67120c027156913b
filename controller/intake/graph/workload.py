"""What one inference of a graph does: floating-point operations and bytes, counted from its shapes.

Products count (convolutions, matrices): of everything else a network's arithmetic is a rounding error. A graph whose
shapes are not all known, or that branches and loops, is not counted.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TypeAlias

import onnx

from controller.model.job import Workload

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

_BODIES = frozenset({"If", "Loop", "Scan"})
_LARGEST = 1 << 31  # bytes of a message: beyond, shapes are not inferred
_FLOAT_BYTES = 4


def count_workload(path: Path, inputs: Shapes) -> Workload | None:
    """`inputs` are the sizes that one inference has. None where it cannot be counted."""
    model = onnx.load_model(str(path), load_external_data=False)
    if model.ByteSize() >= _LARGEST or any(node.op_type in _BODIES for node in model.graph.node):
        return None
    weights = {item.name: tuple(item.dims) for item in model.graph.initializer}
    shapes = {**_inferred(model, inputs), **weights}
    try:
        flop = sum(_PRODUCTS[node.op_type](node, shapes) for node in model.graph.node if node.op_type in _PRODUCTS)
    except (KeyError, IndexError):
        return None
    made = [shapes[name] for node in model.graph.node for name in node.output if name in shapes]
    read = sum(prod(inputs[name]) for name in inputs)
    return Workload(
        flop=flop,
        weight_bytes=_FLOAT_BYTES * sum(map(prod, weights.values())),
        tensor_bytes=_FLOAT_BYTES * (read + 2 * sum(map(prod, made))),
    )


def _inferred(model: onnx.ModelProto, inputs: Shapes) -> dict[str, tuple[int, ...]]:
    """Every tensor whose size is known once the inputs' are."""
    for item in model.graph.input:
        if item.name in inputs:
            _set_sizes(item, inputs[item.name])
    for item in model.graph.output:  # said with open sizes, it would stay open
        item.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    typed = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {item.name: _sizes(item) for item in (*typed.input, *typed.value_info, *typed.output)}
    return {name: sizes for name, sizes in known.items() if sizes is not None}


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
