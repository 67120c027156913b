"""What is rounded to whole numbers, and the indices among it: in half precision another row would be chosen. Pure.

A position of 2,049 does not exist in half precision, and 99.97 is 100. What leads to a rounding keeps float32, back to
the layers whose activations it reads; where the whole number is an index, those layers too, unless they are most of the
network: then there is nothing right to be made.
"""

from collections.abc import Callable, Iterable, Iterator

import onnx

from controller.intake.lowering.graph_view import ELEMENTWISE, GraphView, inner_nodes
from jetfleet.plural import counted

PRODUCTS = frozenset(
    (
        *("Conv", "ConvTranspose", "DeformConv", "Gemm", "MatMul", "Einsum"),
        *("LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention"),
    )
)
_ROUNDING = frozenset({"Floor", "Ceil", "Round", "Mod"})
_INTEGERS = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
)
_CARRYING = ELEMENTWISE | {"ReduceSum", "ReduceMax", "ReduceMin"}
# Which inputs of an operator choose elements or sizes.
_INDICES = {
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND"), (1,)),
    **dict.fromkeys(("Reshape", "Expand", "Tile", "Pad", "TopK", "Split", "Trilu", "ReverseSequence"), (1,)),
    **dict.fromkeys(("OneHot", "ConstantOfShape", "Loop"), (0,)),
    "Range": (0, 1, 2),
    "Slice": (1, 2, 3, 4),
    "Resize": (3,),
}


def rounded_positions(graph: GraphView) -> set[str]:
    """Names of nodes. Raises ValueError for an index that most of the network's layers lead to."""
    found: set[str] = set()
    layers = sum(node.op_type in PRODUCTS for node in graph.nodes)
    for node in graph.nodes:
        if not _rounds(node, graph):
            found.update(item.name for item in _behind(_read_by_bodies(node), graph, through=_is_no_layer))
            continue
        arithmetic = [node, *_behind(node.input, graph, through=_is_no_layer)]
        fractions = [rest for item in arithmetic if _rounds(item, graph) for rest in _fractions(item, graph)]
        found.update(item.name for item in (*arithmetic, *fractions))
        if _is_index(node, graph) and not fractions:
            everything = _behind(node.input, graph, through=lambda item: True)
            _refuse_most(node, [item for item in everything if item.op_type in PRODUCTS], layers)
            found.update(item.name for item in everything)
    return found


def _refuse_most(node: onnx.NodeProto, read: list[onnx.NodeProto], layers: int) -> None:
    if read and 2 * len(read) > layers:
        raise ValueError(
            f"operator {node.op_type} ({node.name!r}) makes an index of what {len(read)} of "
            f"{counted(layers, 'layer')} compute, {read[0].op_type} ({read[0].name!r}) the last of them: "
            f"half precision would choose other elements"
        )


def _rounds(node: onnx.NodeProto, graph: GraphView) -> bool:
    if not node.input or not graph.is_float(node.input[0]):
        return False
    made = graph.types.get(node.output[0])
    return node.op_type in _ROUNDING or _makes_integers(node) or (node.op_type == "CastLike" and made in _INTEGERS)


def _makes_integers(node: onnx.NodeProto) -> bool:
    return node.op_type == "Cast" and any(item.name == "to" and item.i in _INTEGERS for item in node.attribute)


def _read_by_bodies(node: onnx.NodeProto) -> Iterator[str]:
    """What a body rounds of the tensors around it."""
    for inner in inner_nodes(node):
        if inner.op_type in _ROUNDING or _makes_integers(inner):
            yield from inner.input


def _is_no_layer(node: onnx.NodeProto) -> bool:
    return node.op_type not in PRODUCTS


def _behind(
    names: Iterable[str], graph: GraphView, *, through: Callable[[onnx.NodeProto], bool]
) -> list[onnx.NodeProto]:
    """What leads to the tensors by floats alone, the nearest first: a shape, or what was chosen, is exact already."""
    found: dict[str, onnx.NodeProto] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        node = graph.maker.get(name)
        if node is None or not graph.is_float(name) or node.name in found or not through(node):
            continue
        found[node.name] = node
        waiting += node.input
    return list(found.values())


def _is_index(node: onnx.NodeProto, graph: GraphView) -> bool:
    """Whether the whole numbers that a node makes choose elements or sizes somewhere."""
    return node.op_type not in _ROUNDING and any(
        name in (reader.input[index] for index in _INDICES.get(reader.op_type, ()) if index < len(reader.input))
        for name, reader in _forward(node, graph, through=_CARRYING)
    )


def _fractions(node: onnx.NodeProto, graph: GraphView) -> list[onnx.NodeProto]:
    """What takes the whole number from what was rounded: neighbours are weighed by the rest."""
    return [
        reader
        for _, reader in _forward(node, graph, through=ELEMENTWISE)
        if reader.op_type == "Sub" and node.input[0] in reader.input
    ]


def _forward(node: onnx.NodeProto, graph: GraphView, *, through: Iterable[str]) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Tensors that carry what a node makes, each with each of its readers."""
    waiting, seen = list(node.output), set(node.output)
    while waiting:
        name = waiting.pop(0)
        for reader in graph.readers.get(name, ()):
            yield name, reader
            fresh = [item for item in reader.output if item not in seen] if reader.op_type in through else []
            seen.update(fresh)
            waiting += fresh
