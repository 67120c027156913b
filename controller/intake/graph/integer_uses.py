"""What a graph admits as integers: the inputs that are indices of tables, and how many rows those have. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import numpy_helper

from controller.intake.graph.nodes import walk

# What of them goes on to be an index is still the same numbers, in another shape or type.
_PASSING = frozenset(
    (
        *("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Transpose", "Slice", "Expand", "Tile"),
        *("Concat", "Split", "Clip", "Where"),
    )
)
_SAME_TABLE = frozenset({"Identity", "Cast", "DequantizeLinear"})
# Operators with fixed pairs of an index and its table, by their places.
_TABLES = {"EmbedLayerNormalization": ((0, 2), (1, 4)), "GatherBlockQuantized": ((1, 0),)}
_GATHERING = frozenset({"Gather", "GatherElements"})


@dataclass
class _Search:
    shapes: dict[str, tuple[int, ...]]  # of tables
    depths: Mapping[str, onnx.TensorProto]
    inputs: dict[str, set[str]]  # a tensor, and the inputs whose numbers it holds
    rows: dict[str, int] = field(default_factory=dict)

    def visit(self, node: onnx.NodeProto) -> None:
        first = node.input[0] if node.input else ""
        if node.op_type in _SAME_TABLE and first in self.shapes:
            self.shapes[node.output[0]] = self.shapes[first]
        if node.op_type in _PASSING:
            held = {name for item in node.input for name in self.inputs.get(item, ())}
            for output in node.output:
                self.inputs.setdefault(output, set()).update(held)
        for index, rows in self._tables(node):
            for name in self.inputs.get(index, ()):
                self.rows[name] = min(rows, self.rows.get(name, rows))

    def _tables(self, node: onnx.NodeProto) -> Iterator[tuple[str, int]]:
        if node.op_type in _GATHERING and node.input[0] in self.shapes:
            axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
            shape = self.shapes[node.input[0]]
            if -len(shape) <= axis < len(shape):
                yield node.input[1], shape[axis]
        elif node.op_type == "OneHot" and node.input[1] in self.depths:
            yield node.input[0], int(numpy_helper.to_array(self.depths[node.input[1]]).reshape(-1)[0])
        for index, table in _TABLES.get(node.op_type, ()):
            if table < len(node.input) and self.shapes.get(node.input[table]):
                yield node.input[index], self.shapes[node.input[table]][0]


def table_rows_of(path: Path) -> dict[str, int]:
    return table_rows(onnx.load_model(str(path), load_external_data=False))


def table_rows(model: onnx.ModelProto) -> dict[str, int]:
    """By input, the rows of the smallest table that it is an index of; inputs that are none are left out."""
    tensors = {item.name: item for item in model.graph.initializer}
    for node in walk(model.graph):
        if node.op_type == "Constant" and node.output:
            held = next((item.t for item in node.attribute if item.name == "value"), onnx.TensorProto())
            tensors[node.output[0]] = held
    search = _Search(
        shapes={name: tuple(item.dims) for name, item in tensors.items() if item.dims},
        depths={name: item for name, item in tensors.items() if item.data_location != onnx.TensorProto.EXTERNAL},
        inputs={item.name: {item.name} for item in model.graph.input},
    )
    for node in walk(model.graph):
        search.visit(node)
    return search.rows
