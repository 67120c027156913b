"""Differences of near numbers: half precision rounds what they are made of by more than is left of it. Pure.

A coordinate of 1,000.3 is 1,000.5 in half, whatever is taken from it afterwards. Such a difference keeps float32, back
to the layers that make its operands.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

import onnx

from controller.intake.lowering.float32_patterns import is_square
from controller.intake.lowering.graph_view import SHAPING, GraphView
from controller.intake.lowering.rounded_positions import PRODUCTS
from controller.intake.lowering.seen_values import BITS_LOST, Difference
from jetfleet.plural import counted

DIFFERENCES = frozenset({"Add", "Sub", "Sum"})
_FEW = 4  # layers that may keep float32 although they are most of the network
_ADDING = DIFFERENCES | SHAPING | {"Neg", "Abs", "Relu", "MaxPool", "ReduceMax", "ReduceMin", "Max", "Min", "Clip"}
_SCALING = frozenset(
    (
        *("Mul", "Div", "Sqrt", "ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL1", "ReduceL2"),
        *("GlobalAveragePool", "AveragePool", "BatchNormalization", "Where", "PRelu", "LeakyRelu"),
    )
)


def difference(made: float, of: float, *, unit: float = 0.0) -> Difference | None:
    """What a number is that is made of others, where half precision loses it. `unit`: less of it changes nothing."""
    exact = made <= of * 2**-20  # nothing is left but what float32 itself rounds
    return None if exact or max(made, unit) * BITS_LOST >= of else Difference(made, of)


def cancellations(graph: GraphView, found: Mapping[str, Difference], largest: Mapping[str, float]) -> dict[str, str]:
    """Names of nodes, each with why. `found`: by the tensor that is made."""
    kept: dict[str, str] = {}
    for name, item in found.items():
        if name in graph.maker and graph.is_float(name):
            reason = f"{name!r} is a difference, up to {item.left:.3g}, of numbers up to {item.of:.3g}"
            kept.setdefault(graph.maker[name].name, reason)
            for node in _behind(graph.maker[name], graph, largest, left=item.left):
                kept.setdefault(node.name, f"it leads to {name!r}, a difference of near numbers")
    return kept


def too_many(graph: GraphView, kept: Iterable[str]) -> str:
    """What to say where most of the network's layers would keep float32; empty: they may."""
    names = set(kept)
    layers = [node.name for node in graph.nodes if node.op_type in PRODUCTS]
    count = len(names.intersection(layers))
    if count <= max(_FEW, len(layers) // 2):
        return ""
    return (
        f"{count} of {counted(len(layers), 'layer')} lead to differences of near numbers, which half precision rounds: "
        "its answers may be wrong on a device"
    )


def _behind(
    node: onnx.NodeProto, graph: GraphView, largest: Mapping[str, float], *, left: float
) -> Iterator[onnx.NodeProto]:
    """What makes numbers whose rounding is seen in the difference, back to layers and bounded functions."""
    seen, waiting = {node.name}, [(node, left, left)]
    while waiting:
        current, rest, limit = waiting.pop()
        large = [name for name in current.input if graph.is_float(name) and largest.get(name, 0.0) > limit * BITS_LOST]
        for maker in (graph.maker[name] for name in large if name in graph.maker):
            if maker.name not in seen:
                seen.add(maker.name)
                yield maker
                waiting += [(maker, *limits) for limits in _limits(maker, rest, limit)]


def _limits(node: onnx.NodeProto, rest: float, limit: float) -> list[tuple[float, float]]:
    """What is left of the difference, and of which size on what the node reads matters; empty: it is a layer."""
    if is_square(node):
        return [(math.sqrt(rest), math.sqrt(rest))]
    if node.op_type in _ADDING:
        return [(rest, limit)]
    return [(rest, 0.0)] if node.op_type in _SCALING else []  # how it scales is not looked at
