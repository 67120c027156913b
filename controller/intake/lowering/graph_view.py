"""A graph as rules read it: who makes a tensor, who reads it, bodies included. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import onnx

_FLOAT = onnx.TensorProto.FLOAT
SHAPING = frozenset(
    (
        *("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Expand", "Flatten", "Slice", "Concat"),
        *("Tile", "Split", "Gather"),
    )
)
ARITHMETIC = frozenset(
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
ELEMENTWISE = SHAPING | ARITHMETIC


@dataclass(frozen=True)
class GraphView:
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


def inspect(graph: onnx.GraphProto) -> GraphView:
    """The graph as float32_nodes reads it. Its types must be inferred."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        names = {*node.input, *(name for item in inner_nodes(node) for name in item.input)}
        for name in names:
            readers.setdefault(name, []).append(node)
    typed = (*graph.input, *graph.output, *graph.value_info)
    types = {item.name: item.type.tensor_type.elem_type for item in typed if item.type.HasField("tensor_type")}
    types |= {item.name: item.data_type for item in graph.initializer}
    return GraphView(
        nodes=tuple(graph.node),
        weights={item.name: item for item in graph.initializer},
        maker={name: node for node in graph.node for name in node.output if name},
        readers={name: tuple(found) for name, found in readers.items()},
        types=types,
    )
