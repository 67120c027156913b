"""Which nodes of a graph keep float32 when the rest becomes float16, each with the reason. Pure: knows graphs only.

A node keeps float32 where half precision cannot hold what it reads or makes, or where PyTorch keeps float32 too:
index and angle arithmetic, and the statistics of a normalisation.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.float32_patterns import angles, normalisations, position_arithmetic
from controller.intake.lowering.graph_view import GraphView, bodies, inner_nodes
from controller.intake.lowering.masks import LARGEST, Masks, find_masks, is_too_large

SMALLEST = 6.104e-05  # the smallest number of half precision that has all its bits
_NEAR = LARGEST / 2  # other inputs than the reference's may well be twice as large
_FLOAT = onnx.TensorProto.FLOAT
# Attributes that name the type of an output.
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_datatype"})
# Operators that accumulate, search or resample where half precision loses more than it saves.
_IN_FLOAT32 = frozenset(
    (
        *("Range", "CumSum", "TopK", "NonMaxSuppression", "RoiAlign", "Resize", "Upsample", "Min", "Max"),
        *(
            "ReduceL2",
            "ReduceSumSquare",
            "ReduceLogSumExp",
            "ReduceProd",
            "LpNormalization",
            "LpPool",
            "GlobalLpPool",
            "LRN",
        ),
        *("ConstantOfShape", "RandomUniform", "RandomNormal", "Multinomial", "GridSample", "MaxRoiPool"),
    )
)
_QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear"})


def float32_nodes(graph: GraphView, opsets: Mapping[str, int], ranges: Mapping[str, float]) -> dict[str, str]:
    """Names of nodes that keep float32, each with why. `ranges`: the largest finite |x| of tensors, where known."""
    masks = find_masks(graph)
    rules: tuple[Callable[[onnx.NodeProto], str], ...] = (
        lambda node: _without_half(node, graph, opsets),
        lambda node: _constant_reason(node, graph, masks),
        lambda node: _range_reason(node, graph, ranges, masks),
    )
    kept: dict[str, str] = {}
    for node in graph.nodes:
        reason = next((found for rule in rules if (found := rule(node))), "")
        if reason:
            kept[node.name] = reason
    for names, reason in (
        (position_arithmetic(graph, masks), "it computes positions from integers"),
        (angles(graph), "it computes an angle"),
        (normalisations(graph), "it is the statistics of a normalisation"),
    ):
        for name in names:
            kept.setdefault(name, reason)
    return kept


def beyond_half(ranges: Mapping[str, float]) -> list[str]:
    """The tensors that half precision cannot hold, sorted: what of the ranges decides a lowered graph."""
    return sorted(name for name, largest in ranges.items() if largest > _NEAR or 0 < largest < SMALLEST)


def _without_half(node: onnx.NodeProto, graph: GraphView, opsets: Mapping[str, int]) -> str:
    """By definition: its operator takes or makes float32 only, or something that is not a tensor."""
    if node.op_type in _IN_FLOAT32:
        return f"{node.op_type} is computed in float32"
    if any(True for _ in bodies(node)):
        return "its bodies keep float32"
    named = {item.name: item for item in node.attribute}
    if any(name in named and named[name].i == _FLOAT for name in _TYPE_ATTRIBUTES):
        return "it makes float32 by definition"
    if any(name and name not in graph.types for name in node.output):
        return "it makes something that is not a tensor"
    try:
        schema = onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return f"operator {node.op_type} is not one of ONNX"
    if not (_takes_halves(schema, schema.inputs, node.input) and _takes_halves(schema, schema.outputs, node.output)):
        return f"{node.op_type} exists in float32 only"
    return ""


def _takes_halves(
    schema: onnx.defs.OpSchema, formal: Iterable[onnx.defs.OpSchema.FormalParameter], actual: Iterable[str]
) -> bool:
    """Whether every parameter that a node uses may be float16 where it may be float32."""
    allowed = {item.type_param_str: set(item.allowed_type_strs) for item in schema.type_constraints}
    parameters = list(formal)
    for index, name in enumerate(actual):
        kind = parameters[min(index, len(parameters) - 1)].type_str
        types = allowed.get(kind, {kind})
        if name and "tensor(float)" in types and "tensor(float16)" not in types:
            return False
    return True


def _is_tiny(graph: GraphView, name: str) -> bool:
    """A constant of which half precision keeps nothing, or only a few bits."""
    if not graph.is_float(name):
        return False
    array = np.abs(numpy_helper.to_array(graph.weights[name]))
    return bool(array.size) and 0 < float(array.max()) < SMALLEST


def _constant_reason(node: onnx.NodeProto, graph: GraphView, masks: Masks) -> str:
    # A scale is fitted to halves by whoever made it.
    inputs = node.input[:1] if node.op_type in _QUANTISING else node.input
    for name in {*inputs, *(item for inner in inner_nodes(node) for item in inner.input)}:
        if name not in graph.weights or name in masks.constants:
            continue
        if is_too_large(graph, name):
            return f"constant {name!r} is beyond half precision"
        if _is_tiny(graph, name):
            return f"constant {name!r} is too small for half precision"
    return ""


def _range_reason(node: onnx.NodeProto, graph: GraphView, ranges: Mapping[str, float], masks: Masks) -> str:
    for name in (*node.output, *node.input):
        largest = ranges.get(name)
        if largest is None or name in masks.tensors or not graph.is_float(name) or name in graph.weights:
            continue
        if largest > _NEAR:
            return f"{name!r} reaches {largest:.3g}, half precision ends at {LARGEST:g}"
        if 0 < largest < SMALLEST:
            return f"{name!r} reaches {largest:.3g} only, too small for half precision"
    return ""
