"""Old and unusual ONNX files in the one form that everything after this reads. Pure but for onnx; changes in place.

What a file means stays as it is. Its data may lie beside it: nothing here looks at the values of large tensors.
"""

from collections.abc import Iterator

import onnx
from onnx import helper

from controller.intake.graph.dim_names import is_unknown
from controller.intake.graph.nodes import bodies, messages, walk
from controller.intake.jobfile.model_error import ModelError

# Initialisers need not be inputs any more from 4 on; ONNX Runtime 1.23, the last one for JetPack 6, reads up to 11.
_LOWEST_IR, _HIGHEST_IR = 4, 11
_DEFAULT = ""
_SPELLED_OUT = "ai.onnx"
# The versions of domains that a file uses and does not import.
_USUAL_VERSIONS = {"ai.onnx.ml": 2, "com.microsoft": 1}
_MAX_PROTO_BYTES = (1 << 31) - 1


def normalise(model: onnx.ModelProto) -> list[str]:
    """What was changed, in words; empty: nothing. Raises ModelError for a file that means two things."""
    steps = (
        _spell_domains,
        _import_domains,
        _drop_repeated_initialisers,
        _drop_inputs_that_are_initialisers,
        _compute_initialisers_that_are_outputs,
        _open_sizes_of_nothing,
        _drop_names_of_the_unknown,
        _bound_ir_version,
        _infer_outputs,
    )
    return [said for step in steps if (said := step(model))]


def _spell_domains(model: onnx.ModelProto) -> str:
    """`ai.onnx` is the default domain's other name, which not every reader knows."""
    found = [item for item in (*model.opset_import, *_all_nodes(model)) if item.domain == _SPELLED_OUT]
    for function in model.functions:
        found += [item for item in function.opset_import if item.domain == _SPELLED_OUT]
    for item in found:
        item.domain = _DEFAULT
    return "the domain ai.onnx spelled as the default" if found else ""


def _import_domains(model: onnx.ModelProto) -> str:
    imported = {item.domain for item in model.opset_import}
    used = {node.domain for node in walk(model.graph)} - {function.domain for function in model.functions}
    missing = sorted(used - imported)
    said = []
    for domain in missing:
        version = _newest_opset(model.ir_version) if domain == _DEFAULT else _USUAL_VERSIONS.get(domain)
        if version is not None:
            model.opset_import.append(helper.make_opsetid(domain, version))
            said.append(f"{domain or _SPELLED_OUT} {version}")
    return f"imported, for its operators: {', '.join(said)}" if said else ""


def _newest_opset(ir_version: int) -> int:
    """Of the time that the file's format is of."""
    known = [
        opset
        for (domain, opset), ir in helper.OP_SET_ID_VERSION_MAP.items()
        if domain == _SPELLED_OUT and ir <= ir_version
    ]
    return max(known, default=1)


def _drop_repeated_initialisers(model: onnx.ModelProto) -> str:
    kept: dict[str, onnx.TensorProto] = {}
    for item in model.graph.initializer:
        if kept.setdefault(item.name, item) != item:
            message = f"two initialisers are named {item.name!r} and differ"
            raise ModelError(
                message, steps=("model", "onnx"), expected="one value for each name", hint="export it again"
            )
    if len(kept) == len(model.graph.initializer):
        return ""
    copies = [onnx.TensorProto.FromString(item.SerializeToString()) for item in kept.values()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(copies)
    return "initialisers that stood there twice"


def _drop_inputs_that_are_initialisers(model: onnx.ModelProto) -> str:
    """Files of IR 3 list every weight as an input, and ask whoever runs them for weights."""
    held = held_names(model.graph)
    real = [item for item in model.graph.input if item.name not in held]
    dropped = len(model.graph.input) - len(real)
    if not dropped:
        return ""
    copies = [onnx.ValueInfoProto.FromString(item.SerializeToString()) for item in real]
    del model.graph.input[:]
    model.graph.input.extend(copies)
    return f"{dropped} initialisers that were listed as inputs"


def held_names(graph: onnx.GraphProto) -> set[str]:
    return {item.name for item in graph.initializer} | {item.values.name for item in graph.sparse_initializer}


def _compute_initialisers_that_are_outputs(model: onnx.ModelProto) -> str:
    """An output that is a weight becomes one that a node gives: builders and quantisers know no other."""
    outputs = {item.name for item in model.graph.output}
    found = [item for item in model.graph.initializer if item.name in outputs]
    if not found:
        return ""
    taken = held_names(model.graph) | {name for node in walk(model.graph) for name in (*node.input, *node.output)}
    nodes = []
    for item in found:
        name = item.name
        while name in taken:
            name += ".weight"
        taken.add(name)
        nodes.append(helper.make_node("Identity", [name], [item.name], name=f"{item.name}.output"))
        _rename_reads(model.graph, item.name, name)
        item.name = name
    rest = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    return f"{len(found)} outputs that are initialisers"


def _rename_reads(graph: onnx.GraphProto, old: str, new: str) -> None:
    """In bodies too, unless they have a tensor of that name of their own."""
    for node in graph.node:
        _rename_inputs(node, old, new)
        for body in bodies(node):
            if old not in _own_names(body):
                _rename_reads(body, old, new)
                _rename_outputs(body, old, new)


def _own_names(body: onnx.GraphProto) -> set[str]:
    made = {name for node in body.node for name in node.output}
    return {*held_names(body), *(item.name for item in body.input), *made}


def _rename_inputs(node: onnx.NodeProto, old: str, new: str) -> None:
    for index, name in enumerate(node.input):
        if name == old:
            node.input[index] = new


def _rename_outputs(body: onnx.GraphProto, old: str, new: str) -> None:
    for item in body.output:
        if item.name == old:
            item.name = new


def _open_sizes_of_nothing(model: onnx.ModelProto) -> str:
    """Sizes -1 and 0, by which some exporters mean an open dimension: as a size, 0 would refuse every input."""
    graph = model.graph
    found = 0
    for item in (*graph.input, *graph.output, *graph.value_info):
        for dim in item.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value <= 0:
                dim.ClearField("dim_value")
                found += 1
    return f"{found} sizes of 0 or -1, which are open" if found else ""


def _drop_names_of_the_unknown(model: onnx.ModelProto) -> str:
    """Dimensions of one name have one size: some exporters call all those `?` of which they know nothing."""
    dims = list(messages(model, onnx.TensorShapeProto.Dimension))
    found = [dim for dim in dims if dim.HasField("dim_param") and is_unknown(dim.dim_param)]
    said = ", ".join(sorted({dim.dim_param for dim in found if dim.dim_param.strip()}))
    for dim in found:
        dim.ClearField("dim_param")
    return f"dimensions named {said}, which are open and need not be equal" if said else ""


def _bound_ir_version(model: onnx.ModelProto) -> str:
    bounded = min(max(model.ir_version, _LOWEST_IR), _HIGHEST_IR)
    if bounded == model.ir_version:
        return ""
    said = f"IR version {model.ir_version}, now {bounded}"
    model.ir_version = bounded
    return said


def _infer_outputs(model: onnx.ModelProto) -> str:
    """Types and shapes of outputs that declare none."""
    bare = [item for item in model.graph.output if not has_shape(item)]
    if not bare or model.ByteSize() > _MAX_PROTO_BYTES:
        return ""
    try:
        inferred = onnx.shape_inference.infer_shapes(model).graph.output
    except onnx.shape_inference.InferenceError:
        return ""
    types = {item.name: item.type for item in inferred if has_type(item)}
    for item in bare:
        if item.name in types:
            item.type.CopyFrom(types[item.name])
    found = [item.name for item in bare if item.name in types]
    return f"outputs without a type or shape: {', '.join(found)}" if found else ""


def has_type(item: onnx.ValueInfoProto) -> bool:
    return item.type.WhichOneof("value") not in (None, "tensor_type") or item.type.tensor_type.elem_type != 0


def has_shape(item: onnx.ValueInfoProto) -> bool:
    return has_type(item) and (not item.type.HasField("tensor_type") or item.type.tensor_type.HasField("shape"))


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from walk(model.graph)
    for function in model.functions:
        yield from walk(function)
