"""Outputs whose rows a TopK or a NonMaxSuppression chose: near ties change places there, and nothing else. Pure."""

from collections.abc import Iterator, Mapping

import onnx

from controller.intake.graph.nodes import bodies, walk

_CHOOSING = frozenset({"TopK", "NonMaxSuppression"})


def chosen_outputs(graph: onnx.GraphProto) -> dict[str, tuple[str, ...]]:
    """Groups of outputs by the node that chose their rows, the last of several; outputs in the graph's order."""
    makers = {name: node for node in graph.node for name in node.output if name}
    groups: dict[str, list[str]] = {}
    for item in graph.output:
        node = _choosing_node(item.name, makers)
        if node is not None:
            groups.setdefault(f"{node.op_type} {node.name!r}", []).append(item.name)
    return {name: tuple(outputs) for name, outputs in groups.items()}


def _choosing_node(output: str, makers: Mapping[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The nearest node behind an output that chooses; breadth first."""
    seen, waiting = set[str](), [output]
    while waiting:
        later: list[str] = []
        for name in waiting:
            node = makers.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            if node.op_type in _CHOOSING:
                return node
            later += _reads(node)
        waiting = later
    return None


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for body in bodies(node):
        for inner in walk(body):
            yield from inner.input
