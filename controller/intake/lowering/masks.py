"""Constants that mask: large only to say "not this one" before a Softmax, and so free to be made smaller. Pure.

Where a whole row is masked, what is left of it decides the answer, and that a smaller mask would change.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.graph_view import ELEMENTWISE, GraphView
from controller.intake.lowering.seen_values import LARGEST

_ADDING = frozenset({"Add", "Sub", "Mul", "Where"})
SOFTMAX = ("Softmax", "LogSoftmax")


@dataclass(frozen=True)
class Masks:
    """Constants that only say "not this one" before a Softmax: they may be cut; and every tensor on the way there."""

    constants: frozenset[str]
    tensors: frozenset[str]


def find_masks(graph: GraphView, masked: Collection[str] = ()) -> Masks:
    """Constants beyond half precision whose every reader leads to a Softmax through elementwise nodes alone.

    `masked`: tensors of which whole rows were seen masked. No constant that leads to one may be cut.
    """
    constants, tensors = set[str](), set[str]()
    for name in graph.weights:
        if not is_too_large(graph, name):
            continue
        paths = [_path_to_softmax(graph, node) for node in graph.readers.get(name, ()) if node.op_type in _ADDING]
        if paths and len(paths) == len(graph.readers[name]) and all(path and path.isdisjoint(masked) for path in paths):
            constants.add(name)
            tensors.update(tensor for path in paths for tensor in path)
    return Masks(frozenset(constants), frozenset(tensors))


def is_too_large(graph: GraphView, name: str) -> bool:
    if not graph.is_float(name):
        return False
    array = numpy_helper.to_array(graph.weights[name])
    finite = array[np.isfinite(array)]
    return bool(finite.size) and float(np.abs(finite).max()) > LARGEST


def _path_to_softmax(graph: GraphView, start: onnx.NodeProto) -> set[str]:
    """The tensors between a node and every Softmax behind it; empty where something else reads one of them."""
    seen, waiting = set[str](), [start]
    while waiting:
        node = waiting.pop()
        readers = list(graph.read_by(node))
        if node.op_type not in ELEMENTWISE or not readers:
            return set()
        for name in node.output:
            if name not in seen:
                seen.add(name)
                waiting += [reader for reader in graph.readers.get(name, ()) if reader.op_type not in SOFTMAX]
    return seen
