"""An FP32 graph to FP16 with float32 inputs and outputs, typed cleanly enough for a strongly typed builder.

onnxconverter-common does the conversion. What it gets wrong is put out of its way first: outputs that are read inside
the graph or come from an operator that stays in float32, weights that both kinds of operators read, constants in
nodes, and nodes without names.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from onnxconverter_common import float16

_FLOAT = onnx.TensorProto.FLOAT
_LARGEST = 1e4  # the converter's own limit of a weight in half precision
_SCALING = frozenset(
    (
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "PRelu"),
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", "Div", "Pow", "QuantizeLinear"),
    )
)
# Attributes that name the type of an output, which the converter leaves as they are.
_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_datatype"})


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The converted graph, whose types are not inferred yet. Changes `model`. Raises ValueError."""
    graph = model.graph
    _name_nodes(graph)
    _lift_constants(graph)
    _guard_inputs(graph)
    large = _large_weights(graph)
    kept = [node.name for node in _nodes(graph) if _stays(node, model) or _is_scaled_by(node, large)]
    _guard_outputs(graph, set(kept))
    _part_weights(graph, set(kept))
    typed = infer_types(model, strict=False)
    _refuse_untyped(typed.graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one line for every weight that is clamped
        made = float16.convert_float_to_float16(
            typed,
            keep_io_types=True,
            max_finite_val=_LARGEST,
            disable_shape_infer=True,
            op_block_list=[],
            node_block_list=kept,
        )
    del made.graph.value_info[:]
    _sort(made.graph)
    return made


def infer_types(model: onnx.ModelProto, *, strict: bool) -> onnx.ModelProto:
    """The model with a type on every tensor; strict raises onnx's InferenceError for types that do not agree."""
    if model.ByteSize() >= 1 << 31:
        raise ValueError("a model of 2 GiB or more cannot be lowered")
    return onnx.shape_inference.infer_shapes(model, check_type=strict, strict_mode=strict)


def _refuse_untyped(graph: onnx.GraphProto) -> None:
    """The converter puts casts where it knows types: an operator that ONNX does not define leaves it without."""
    typed = {item.name for item in (*graph.input, *graph.output, *graph.value_info)}
    read = {name for node in _nodes(graph) for name in node.input}
    for node in graph.node:
        if any(name in read and name not in typed for name in node.output):
            raise ValueError(f"the types of operator {node.op_type} ({node.name!r}) are not known to ONNX")


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        yield from _inner(node)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Unique names everywhere: the converter finds nodes, and names its casts, by them."""
    counts = Counter(node.name for node in _nodes(graph))
    for index, node in enumerate(_nodes(graph)):
        if not node.name or counts[node.name] > 1:
            node.name = f"{node.op_type}_{index}_{node.output[0] if node.output else ''}"


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Float constants become weights: those that feed float32 operators then keep their precision."""
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


def _stays(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Whether a node keeps float32: by the converter's list, by its definition, or because it makes float32 itself."""
    if node.op_type in float16.DEFAULT_OP_BLOCK_LIST:
        return True
    named = {item.name: item for item in node.attribute}
    if any(name in named and named[name].i == _FLOAT for name in _TYPE_ATTRIBUTES):
        return True
    if node.op_type == "ConstantOfShape" and "value" not in named:
        return True
    version = next((item.version for item in model.opset_import if item.domain == node.domain), 1)
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return True
    return not (_takes_halves(schema, schema.inputs, node.input) and _takes_halves(schema, schema.outputs, node.output))


def _large_weights(graph: onnx.GraphProto) -> set[str]:
    """Float weights that the converter would cut off."""
    arrays = ((item.name, numpy_helper.to_array(item)) for item in graph.initializer if item.data_type == _FLOAT)
    return {name for name, array in arrays if array.size and np.abs(array).max() > _LARGEST}


def _is_scaled_by(node: onnx.NodeProto, large: set[str]) -> bool:
    """Whether cutting off a weight would change the answer. Where it is added, it is a mask, which may be less."""
    return node.op_type in _SCALING and not large.isdisjoint(node.input)


def _takes_halves(
    schema: onnx.defs.OpSchema, formal: Sequence[onnx.defs.OpSchema.FormalParameter], actual: Sequence[str]
) -> bool:
    """Whether every parameter that a node uses may be float16 where it may be float32."""
    allowed = {item.type_param_str: set(item.allowed_type_strs) for item in schema.type_constraints}
    for index, name in enumerate(actual):
        kind = formal[min(index, len(formal) - 1)].type_str
        types = allowed.get(kind, {kind})
        if name and "tensor(float)" in types and "tensor(float16)" not in types:
            return False
    return True


def _guard_inputs(graph: onnx.GraphProto) -> None:
    """Puts an Identity behind every float input that a subgraph reads: only the top level gets a cast."""
    inside = [node for outer in graph.node for node in _inner(outer)]
    read = {name for node in inside for name in node.input}
    for item in graph.input:
        if item.type.tensor_type.elem_type == _FLOAT and item.name in read:
            inner = f"{item.name}/inner"
            for node in inside:
                for index, name in enumerate(node.input):
                    if name == item.name:
                        node.input[index] = inner
            graph.node.insert(0, onnx.helper.make_node("Identity", [item.name], [inner], name=f"{inner}/identity"))


def _guard_outputs(graph: onnx.GraphProto, kept: set[str]) -> None:
    """Puts an Identity before every float output that is read inside, or that an operator in float32 makes."""
    read = {name for node in _nodes(graph) for name in node.input}
    makers = {name: node for node in graph.node for name in node.output}
    for item in graph.output:
        maker = makers.get(item.name)
        if item.type.tensor_type.elem_type != _FLOAT or maker is None:
            continue
        if item.name in read or maker.name in kept:
            inner = f"{item.name}/inner"
            for node in _nodes(graph):
                for names in (node.input, node.output):
                    for index, name in enumerate(names):
                        if name == item.name:
                            names[index] = inner
            graph.node.append(onnx.helper.make_node("Identity", [inner], [item.name], name=f"{inner}/identity"))


def _part_weights(graph: onnx.GraphProto, kept: set[str]) -> None:
    """A copy of its own, for those that keep float32, of every float weight that the others read too."""
    weights = {item.name: item for item in graph.initializer if item.data_type == _FLOAT}
    others = {name for node in _nodes(graph) if node.name not in kept for name in node.input}
    for node in graph.node:
        for index, name in enumerate(node.input if node.name in kept else ()):
            if name in weights and name in others:
                copy = f"{name}/float32"
                if copy not in weights:
                    weights[copy] = graph.initializer.add()
                    weights[copy].CopyFrom(weights[name])
                    weights[copy].name = copy
                node.input[index] = copy


def _sort(graph: onnx.GraphProto) -> None:
    """Puts every node after what it reads, also inside its subgraphs, where the converter does not look."""
    made = {name for node in graph.node for name in node.output}
    waiting, ready, done = list(graph.node), set[str](), list[onnx.NodeProto]()
    while waiting:
        later = []
        for node in waiting:
            reads = {*node.input, *(name for inner in _inner(node) for name in inner.input)}
            if reads & made <= ready:
                ready.update(node.output)
                done.append(node)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ValueError("its nodes read each other in a circle")
        waiting = later
    del graph.node[:]
    graph.node.extend(done)


def _inner(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from _nodes(graph)
