"""Which nodes of a graph keep float32 when the rest becomes float16, each with the reason. Pure: knows graphs only.

A node keeps float32 where half precision cannot hold what it reads or makes, or where PyTorch keeps float32 too:
index and angle arithmetic, and the statistics of a normalisation.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.cancellations import cancellations, too_many
from controller.intake.lowering.float32_patterns import angles, normalisations, position_arithmetic
from controller.intake.lowering.graph_view import ELEMENTWISE, GraphView, bodies, inner_nodes
from controller.intake.lowering.masks import SOFTMAX, Masks, find_masks, is_too_large
from controller.intake.lowering.rounded_positions import PRODUCTS, rounded_positions
from controller.intake.lowering.seen_values import LARGEST, NEAR, SMALLEST, SeenValues
from jetfleet.plural import counted

_FLOAT, _DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
BODIES = "so do the bodies of "  # how the reason of a node with bodies begins
_MASK = 1000.0  # a tensor that reaches further holds what masks
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


def float32_nodes(graph: GraphView, opsets: Mapping[str, int], seen: SeenValues) -> dict[str, str]:
    """Names of nodes that keep float32, each with why. Raises ValueError for what half precision makes wrong."""
    masks = find_masks(graph, seen.masked)
    rules: tuple[Callable[[onnx.NodeProto], str], ...] = (
        lambda node: _without_half(node, graph, opsets),
        lambda node: _constant_reason(node, graph, masks),
        lambda node: _range_reason(node, graph, seen.largest, masks),
        lambda node: _sum_reason(node, seen.sums),
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
        (_whole_rows_masked(graph, seen), "it masks whole rows"),
        (rounded_positions(graph), "what it computes is rounded to whole numbers"),
    ):
        for name in names:
            kept.setdefault(name, reason)
    near = cancellations(graph, seen.differences, seen.largest)
    return kept if too_many(graph, near) else {**near, **kept}


def _without_half(node: onnx.NodeProto, graph: GraphView, opsets: Mapping[str, int]) -> str:
    """By definition: its operator takes or makes float32 only, or something that is not a tensor."""
    if node.op_type in _IN_FLOAT32:
        return f"{node.op_type} is computed in float32"
    if any(graph.types.get(name) == _DOUBLE for name in (*node.input, *node.output)):
        return "it reads or makes float64"
    if any(True for _ in bodies(node)):
        return _bodies_reason(node)
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


def _bodies_reason(node: onnx.NodeProto) -> str:
    inner = list(inner_nodes(node))
    layers = sum(item.op_type in PRODUCTS for item in inner)
    held = f"{counted(len(inner), 'node')}, {layers} of them layers" if layers else f"{counted(len(inner), 'node')}"
    return f"{BODIES}{node.op_type} {node.name!r} ({held})"


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
        if largest > NEAR:
            return f"{name!r} reaches {largest:.3g}, half precision ends at {LARGEST:g}"
        if 0 < largest < SMALLEST:
            return f"{name!r} reaches {largest:.3g} only, too small for half precision"
    return ""


def _sum_reason(node: onnx.NodeProto, sums: Mapping[str, float]) -> str:
    largest = sums.get(node.output[0], 0.0) if node.output else 0.0
    if largest <= NEAR:
        return ""
    return f"a sum inside of {node.op_type} {node.name!r} may reach {largest:.3g}, half precision ends at {LARGEST:g}"


def _whole_rows_masked(graph: GraphView, seen: SeenValues) -> set[str]:
    """A Softmax over rows that are masked as a whole, back to where the mask is added: half would lose the rest."""
    found: set[str] = set()
    waiting = [node for node in graph.nodes if node.op_type in SOFTMAX and node.input[0] in seen.masked]
    while waiting:
        node = waiting.pop()
        found.add(node.name)
        makers = (graph.maker[name] for name in node.input if seen.largest.get(name, 0) > _MASK and name in graph.maker)
        waiting += [item for item in makers if item.op_type in ELEMENTWISE and item.name not in found]
    return found
