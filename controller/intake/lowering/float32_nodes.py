"""Which nodes of a graph keep float32 when the rest becomes float16, each with the reason. Pure: knows graphs only.

A node keeps float32 where half precision cannot hold what it reads or makes, or where PyTorch keeps float32 too:
index and angle arithmetic, and the statistics of a normalisation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

LARGEST, SMALLEST = 65504.0, 6.104e-05  # of half precision: finite, and still with all its bits
_NEAR = LARGEST / 2  # other inputs than the reference's may well be twice as large
_FLOAT = onnx.TensorProto.FLOAT
# Attributes that name the type of an output.
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_datatype"})
# Operators that accumulate, search or resample where half precision loses more than it saves.
_IN_FLOAT32 = frozenset(
    (
        *("Range", "CumSum", "TopK", "NonMaxSuppression", "RoiAlign", "Resize", "Upsample", "Min", "Max"),
        *("ConstantOfShape", "RandomUniform", "RandomNormal", "Multinomial", "GridSample", "MaxRoiPool"),
    )
)
_SHAPING = frozenset(
    (
        *("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Expand", "Flatten", "Slice", "Concat"),
        *("Tile", "Split", "Gather"),
    )
)
_ARITHMETIC = frozenset(
    (
        *(
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Neg",
            "Abs",
            "Pow",
            "Sqrt",
            "Exp",
            "Log",
            "Reciprocal",
            "Floor",
            "Ceil",
            "Round",
        ),
        *("Min", "Max", "Clip", "Mod", "Sign", "Where", "Sin", "Cos", "Range", "CumSum", "Einsum"),
    )
)
_ELEMENTWISE = _SHAPING | _ARITHMETIC
_ADDING = frozenset({"Add", "Sub", "Mul", "Where"})


@dataclass(frozen=True)
class Graph:
    """One graph, its tensors' makers and readers; what a body reads of it counts as read by the node of the body."""

    nodes: tuple[onnx.NodeProto, ...]
    weights: Mapping[str, onnx.TensorProto]
    maker: Mapping[str, onnx.NodeProto]
    readers: Mapping[str, tuple[onnx.NodeProto, ...]]
    types: Mapping[str, int] = field(repr=False)

    def is_float(self, name: str) -> bool:
        return bool(self.types.get(name) == _FLOAT)

    def made_of(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        return (self.maker[name] for name in node.input if name in self.maker)

    def read_by(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        return (reader for name in node.output for reader in self.readers.get(name, ()))


@dataclass(frozen=True)
class Masks:
    """Constants that only say "not this one" before a Softmax: they may be cut; and every tensor on the way there."""

    constants: frozenset[str]
    tensors: frozenset[str]


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def inner_nodes(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Every node of the bodies of a node, at any depth."""
    for body in bodies(node):
        for item in body.node:
            yield item
            yield from inner_nodes(item)


def inspect(graph: onnx.GraphProto) -> Graph:
    """The graph as float32_nodes reads it. Its types must be inferred."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        names = {*node.input, *(name for item in inner_nodes(node) for name in item.input)}
        for name in names:
            readers.setdefault(name, []).append(node)
    typed = (*graph.input, *graph.output, *graph.value_info)
    types = {item.name: item.type.tensor_type.elem_type for item in typed if item.type.HasField("tensor_type")}
    types |= {item.name: item.data_type for item in graph.initializer}
    return Graph(
        nodes=tuple(graph.node),
        weights={item.name: item for item in graph.initializer},
        maker={name: node for node in graph.node for name in node.output if name},
        readers={name: tuple(found) for name, found in readers.items()},
        types=types,
    )


def find_masks(graph: Graph) -> Masks:
    """Constants beyond half precision whose every reader leads to a Softmax through elementwise nodes alone."""
    constants, tensors = set[str](), set[str]()
    for name in graph.weights:
        if not _is_too_large(graph, name):
            continue
        paths = [_path_to_softmax(graph, node) for node in graph.readers.get(name, ()) if node.op_type in _ADDING]
        if paths and len(paths) == len(graph.readers[name]) and all(paths):
            constants.add(name)
            tensors.update(tensor for path in paths for tensor in path)
    return Masks(frozenset(constants), frozenset(tensors))


def float32_nodes(graph: Graph, opsets: Mapping[str, int], ranges: Mapping[str, float]) -> dict[str, str]:
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
        (_position_arithmetic(graph, masks), "it computes positions from integers"),
        (_angles(graph), "it computes an angle"),
        (_normalisations(graph), "it is the statistics of a normalisation"),
    ):
        for name in names:
            kept.setdefault(name, reason)
    return kept


def _without_half(node: onnx.NodeProto, graph: Graph, opsets: Mapping[str, int]) -> str:
    """By definition: its operator takes or makes float32 only, or something that is not a tensor."""
    if node.op_type in _IN_FLOAT32:
        return f"{node.op_type} is computed in float32"
    if any(True for _ in bodies(node)):
        return "its bodies take and give float32"
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


def _is_too_large(graph: Graph, name: str) -> bool:
    if not graph.is_float(name):
        return False
    array = numpy_helper.to_array(graph.weights[name])
    finite = array[np.isfinite(array)]
    return bool(finite.size) and float(np.abs(finite).max()) > LARGEST


def _is_tiny(graph: Graph, name: str) -> bool:
    """A constant of which half precision keeps nothing, or only a few bits."""
    if not graph.is_float(name):
        return False
    array = np.abs(numpy_helper.to_array(graph.weights[name]))
    return bool(array.size) and 0 < float(array.max()) < SMALLEST


def _constant_reason(node: onnx.NodeProto, graph: Graph, masks: Masks) -> str:
    for name in {*node.input, *(item for inner in inner_nodes(node) for item in inner.input)}:
        if name not in graph.weights or name in masks.constants:
            continue
        if _is_too_large(graph, name):
            return f"constant {name!r} is beyond half precision"
        if _is_tiny(graph, name):
            return f"constant {name!r} is too small for half precision"
    return ""


def _range_reason(node: onnx.NodeProto, graph: Graph, ranges: Mapping[str, float], masks: Masks) -> str:
    for name in (*node.output, *node.input):
        largest = ranges.get(name)
        if largest is None or name in masks.tensors or not graph.is_float(name) or name in graph.weights:
            continue
        if largest > _NEAR:
            return f"{name!r} reaches {largest:.3g}, half precision ends at {LARGEST:g}"
        if 0 < largest < SMALLEST:
            return f"{name!r} reaches {largest:.3g} only, too small for half precision"
    return ""


def _path_to_softmax(graph: Graph, start: onnx.NodeProto) -> set[str]:
    """The tensors between a node and every Softmax behind it; empty where something else reads one of them."""
    seen, waiting = set[str](), [start]
    while waiting:
        node = waiting.pop()
        if node.op_type in ("Softmax", "LogSoftmax"):
            continue
        readers = list(graph.read_by(node))
        if node.op_type not in _ELEMENTWISE or not readers:
            return set()
        for name in node.output:
            if name not in seen:
                seen.add(name)
                waiting += graph.readers.get(name, ())
    return seen


def _position_arithmetic(graph: Graph, masks: Masks) -> set[str]:
    """Nodes whose floats derive from integers and constants alone, until they meet an activation or a trained weight.

    Buckets of relative positions, rotary angles, the times of a diffusion: PyTorch's .half() leaves them in float32.
    A table that integers only choose rows from is an embedding, and an activation.
    """
    derived: set[str] = set()
    found: set[str] = set()
    for node in graph.nodes:
        floats = [name for name in node.input if graph.is_float(name)]
        constants = [name for name in floats if name in graph.weights]
        others = [name for name in floats if name not in graph.weights]
        from_integers = node.op_type in ("Cast", "Range", "ConstantOfShape") and not floats
        carries_on = bool(others) and all(name in derived for name in others) and _is_arithmetic(node, graph, constants)
        carries_on = carries_on and masks.constants.isdisjoint(constants)  # a cut mask must not meet a half uncut
        makes = [name for name in node.output if graph.is_float(name)]
        if (from_integers and makes) or carries_on:
            derived.update(makes)
            found.add(node.name)
    return found


def _is_arithmetic(node: onnx.NodeProto, graph: Graph, constants: list[str]) -> bool:
    """Arithmetic by element or by outer product; a matrix that sums over a dimension is a layer."""
    if node.op_type == "MatMul":
        return all(min(graph.weights[name].dims, default=1) == 1 for name in constants)
    return node.op_type in _ELEMENTWISE or node.op_type in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


def _angles(graph: Graph) -> set[str]:
    """Sin and Cos with the arithmetic that leads to them: an angle of 2,600 is off by one in half precision."""
    found: set[str] = set()
    waiting = [node for node in graph.nodes if node.op_type in ("Sin", "Cos")]
    while waiting:
        node = waiting.pop()
        if node.name in found:
            continue
        found.add(node.name)
        constants = [name for name in node.input if name in graph.weights]
        waiting += [item for item in graph.made_of(node) if _is_arithmetic(item, graph, [])]
        if node.op_type == "MatMul" and not _is_arithmetic(node, graph, constants):
            found.discard(node.name)
    return found


_STATISTICS = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceSumSquare", "Add", "Max", "Clip", "Mul", "Pow", "Sqrt", "Exp"}
)


def _normalisations(graph: Graph) -> set[str]:
    """From the square to the root and its reciprocal: LayerNorm and RMSNorm in single operators, and such a Softmax."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.op_type != "Sqrt" and not (node.op_type == "ReduceSum" and _has_exp(node, graph)):
            continue
        back = _statistics_behind(node, graph)
        reduced = any(item.op_type.startswith("Reduce") for item in back)
        if reduced:
            forward = [item for item in graph.read_by(node) if item.op_type in ("Div", "Reciprocal", "Pow")]
            found.update(item.name for item in (*back, *forward))
    return found


def _has_exp(node: onnx.NodeProto, graph: Graph) -> bool:
    return any(item.op_type == "Exp" for item in graph.made_of(node))


def _statistics_behind(node: onnx.NodeProto, graph: Graph) -> list[onnx.NodeProto]:
    """Back from a root: what is added, the mean, the square; what was squared is no part of it."""
    found, waiting = [node], [node]
    while waiting:
        current = waiting.pop()
        if current.op_type in ("Pow", "Exp") or (current.op_type == "Mul" and len(set(current.input)) == 1):
            continue
        more = [item for item in graph.made_of(current) if item.op_type in _STATISTICS and item not in found]
        found += more
        waiting += more
    return found
