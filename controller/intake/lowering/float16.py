"""An FP32 graph to FP16 with float32 inputs and outputs, typed cleanly enough for a strongly typed builder.

Every float tensor is half or float32, by the node that makes it; a cast stands where a reader wants the other. A body
of an If, Loop or Scan keeps float32, and what it reads of the graph is float32 there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.cancellations import cancellations, too_many
from controller.intake.lowering.float32_nodes import BODIES, float32_nodes
from controller.intake.lowering.graph_view import bodies, inner_nodes, inspect
from controller.intake.lowering.masks import find_masks
from controller.intake.lowering.rounded_positions import PRODUCTS
from controller.intake.lowering.seen_values import LARGEST, SeenValues
from jetfleet.plural import counted

_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
_MASKED = 3e4  # what a larger mask is cut to: two of them still add up to a finite half
_MOST_REMARKS = 8
_WORDS = {_FLOAT: "float32", _HALF: "float16"}


@dataclass(frozen=True)
class Float16Graph:
    """A converted model, whose types are not inferred yet, and what was not lowered as it stood."""

    model: onnx.ModelProto
    kept: Mapping[str, str]  # nodes in float32, and why
    cut: tuple[str, ...]  # masks that were made smaller
    layers: int = 0  # nodes that multiply and accumulate, those of bodies too
    half_layers: int = 0
    notes: tuple[str, ...] = ()  # what half precision may make wrong

    def refuse_float32(self) -> None:
        """Raises ValueError where no layer computes in half: what it measures would be float32 by another name."""
        if self.layers and not self.half_layers:
            why = "; ".join(self.remarks())
            raise ValueError(f"none of its {counted(self.layers, 'layer')} would compute in half: {why}")

    def remarks(self) -> list[str]:
        """For people: how many nodes keep float32 for each reason, those of values by name; each constant cut."""
        bodies_first = sorted(self.kept.items(), key=lambda item: not item[1].startswith(BODIES))
        by_value = [f"{name} keeps float32: {why}" for name, why in bodies_first if "'" in why]
        counts = Counter(why for why in self.kept.values() if "'" not in why)
        others = [
            f"{count} {'node keeps' if count == 1 else 'nodes keep'} float32: {why}" for why, count in counts.items()
        ]
        cuts = [f"mask {name!r} is cut to +-{_MASKED:g}" for name in self.cut]
        return [*self.notes, *by_value[:_MOST_REMARKS], *_rest(len(by_value)), *others, *cuts]


def to_float16(model: onnx.ModelProto, seen: SeenValues | None = None) -> Float16Graph:
    """`seen`: in the reference run. Changes `model`. Raises ValueError."""
    _name_nodes(model.graph)
    _lift_constants(model.graph)
    typed = infer_types(model, strict=False)
    opsets = {item.domain: item.version for item in typed.opset_import}
    made = _Conversion(opsets, seen or SeenValues(), names=_all_names(typed.graph))
    layers = [node for graph in _graphs(typed.graph) for node in graph.node if node.op_type in PRODUCTS]
    outside = [node.name for node in typed.graph.node if node.op_type in PRODUCTS]
    made.convert(typed.graph)
    for graph in _graphs(typed.graph):
        del graph.value_info[:]
    half_layers = sum(name not in made.kept for name in outside)
    return Float16Graph(typed, made.kept, tuple(sorted(made.cut)), len(layers), half_layers, tuple(made.notes))


def infer_types(model: onnx.ModelProto, *, strict: bool) -> onnx.ModelProto:
    """The model with a type on every tensor; strict raises onnx's InferenceError for types that do not agree."""
    if model.ByteSize() >= 1 << 31:
        raise ValueError("a model of 2 GiB or more cannot be lowered")
    return onnx.shape_inference.infer_shapes(model, check_type=strict, strict_mode=strict)


@dataclass
class _Scope:
    """The graph while it is converted: the type that each float tensor has."""

    graph: onnx.GraphProto
    types: dict[str, int] = field(default_factory=dict)
    casts: dict[tuple[str, int], str] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    masks: frozenset[str] = frozenset()


@dataclass
class _Conversion:
    opsets: Mapping[str, int]
    seen: SeenValues
    kept: dict[str, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def convert(self, graph: onnx.GraphProto) -> None:
        view = inspect(graph)
        _refuse_untyped(graph, view.types)
        kept = float32_nodes(view, self.opsets, self.seen)
        self.kept |= kept
        near = cancellations(view, self.seen.differences, self.seen.largest)
        self.notes += filter(None, [too_many(view, near)])
        scope = _Scope(graph, masks=find_masks(view, self.seen.masked).constants)
        scope.types = {
            name: _FLOAT for name in (*view.weights, *(item.name for item in graph.input)) if view.is_float(name)
        }
        results = {item.name for item in graph.output}
        for node in graph.node:
            made = [name for name in node.output if view.is_float(name)]
            self._convert_node(node, made, _FLOAT if node.name in kept else _HALF, scope)
            if node.name not in kept:
                for name in (name for name in made if name in results):
                    self._give_float32(node, name, scope)
        del graph.node[:]
        graph.node.extend(scope.nodes)
        held = {item.name for item in graph.initializer}
        _drop_unread(graph, {name: new for (name, _), new in scope.casts.items() if name in held})

    def _convert_node(self, node: onnx.NodeProto, made: Sequence[str], kind: int, scope: _Scope) -> None:
        """`made`: the float tensors that the node makes."""
        self._keep_bodies(node, scope)
        for index, name in enumerate(node.input):
            node.input[index] = self._as(name, kind, scope)
        scope.nodes.append(node)
        scope.types.update(dict.fromkeys(made, kind))

    def _keep_bodies(self, node: onnx.NodeProto, scope: _Scope) -> None:
        """A body computes in float32: what it adds up in turns, nobody has seen the ranges of."""
        for inner in inner_nodes(node):
            for index, name in enumerate(inner.input):
                inner.input[index] = self._as(name, _FLOAT, scope)

    def _as(self, name: str, kind: int, scope: _Scope) -> str:
        """The tensor's name in the wanted type, behind a cast where it has the other."""
        if scope.types.get(name, kind) == kind:
            return name
        if (name, kind) in scope.casts:
            return scope.casts[name, kind]
        new = self._name(f"{name}/{_WORDS[kind]}")
        weight = next((item for item in scope.graph.initializer if item.name == name), None)
        if weight is not None:
            scope.graph.initializer.append(self._half_of(weight, new, is_mask=name in scope.masks))
        else:
            scope.nodes.append(onnx.helper.make_node("Cast", [name], [new], name=f"{new}/cast", to=kind))
        scope.types[new], scope.casts[name, kind] = kind, new
        return new

    def _name(self, wanted: str) -> str:
        """A name that no graph has: what a body makes may not hide a tensor around it."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}/{number}"
        self.names.add(name)
        return name

    def _half_of(self, weight: onnx.TensorProto, name: str, *, is_mask: bool) -> onnx.TensorProto:
        array = numpy_helper.to_array(weight)
        if is_mask:
            self.cut.add(weight.name)
            too_large = np.isfinite(array) & (np.abs(array) > LARGEST)
            array = np.where(too_large, np.sign(array) * _MASKED, array)
        with np.errstate(over="ignore"):
            return numpy_helper.from_array(array.astype(np.float16), name)

    def _give_float32(self, node: onnx.NodeProto, name: str, scope: _Scope) -> None:
        """A graph gives float32: what made the output in half now makes it under another name."""
        inner = self._name(f"{name}/{_WORDS[_HALF]}")
        for index, output in enumerate(node.output):
            if output == name:
                node.output[index] = inner
        scope.nodes.append(onnx.helper.make_node("Cast", [inner], [name], name=f"{name}/cast", to=_FLOAT))
        scope.types |= {inner: _HALF, name: _FLOAT}
        scope.casts[name, _HALF] = inner


def _rest(count: int) -> list[str]:
    return [f"and {counted(count - _MOST_REMARKS, 'more node')} for such reasons"] if count > _MOST_REMARKS else []


def _refuse_untyped(graph: onnx.GraphProto, types: Mapping[str, int]) -> None:
    """Casts are put where types are known: an operator that ONNX does not define leaves what it makes without."""
    known = {item.name for item in graph.value_info} | types.keys()
    read = {name for node in graph.node for item in (node, *inner_nodes(node)) for name in item.input}
    for node in graph.node:
        if any(name in read and name not in known for name in node.output):
            raise ValueError(f"the types of operator {node.op_type} ({node.name!r}) are not known to ONNX")


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from _graphs(body)


def _all_names(graph: onnx.GraphProto) -> set[str]:
    found = {name for item in _graphs(graph) for node in item.node for name in node.output}
    return found | {item.name for found in _graphs(graph) for item in (*found.input, *found.initializer)}


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Unique names everywhere: nodes that keep float32 are known by them."""
    nodes = [node for found in _graphs(graph) for node in found.node]
    counts = Counter(node.name for node in nodes)
    for index, node in enumerate(nodes):
        if not node.name or counts[node.name] > 1:
            node.name = f"{node.op_type}_{index}_{node.output[0] if node.output else ''}"


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Constants become weights: those that feed float32 nodes, or bodies, then keep their precision."""
    kept = []
    for node in graph.node:
        value = next((item for item in node.attribute if item.name in ("value", "value_float", "value_floats")), None)
        if node.op_type != "Constant" or value is None:
            kept.append(node)
            continue
        held = onnx.helper.get_attribute_value(value)
        array = numpy_helper.to_array(held) if value.name == "value" else np.asarray(held, dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def _drop_unread(graph: onnx.GraphProto, halves: Mapping[str, str]) -> None:
    """A weight that is read as half alone goes, and its half takes the name. `halves`: name of a weight -> its half."""
    nodes = [item for node in graph.node for item in (node, *inner_nodes(node))]
    read = {name for node in nodes for name in node.input}
    read |= {item.name for found in _graphs(graph) for item in found.output}
    weights = [item for item in graph.initializer if item.name in read]
    named = {half: name for name, half in halves.items() if name not in read}
    for item in weights:
        item.name = named.get(item.name, item.name)
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = named.get(name, name)
    kept = [onnx.TensorProto.FromString(item.SerializeToString()) for item in weights]
    del graph.initializer[:]
    graph.initializer.extend(kept)
