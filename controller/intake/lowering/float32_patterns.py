"""Patterns of nodes that compute in float32 wherever PyTorch would: positions, angles, statistics of a norm. Pure."""

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.graph_view import ELEMENTWISE, GraphView
from controller.intake.lowering.masks import Masks


def position_arithmetic(graph: GraphView, masks: Masks) -> set[str]:
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


def _is_arithmetic(node: onnx.NodeProto, graph: GraphView, constants: list[str]) -> bool:
    """Arithmetic by element or by outer product; a matrix that sums over a dimension is a layer."""
    if node.op_type == "MatMul":
        return all(min(graph.weights[name].dims, default=1) == 1 for name in constants)
    return node.op_type in ELEMENTWISE or node.op_type in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


def angles(graph: GraphView) -> set[str]:
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


_HALF = 0.5
_REDUCTIONS = frozenset({"ReduceMean", "ReduceSum", "ReduceSumSquare"})
_STATISTICS = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceSumSquare", "Add", "Sub", "Max", "Clip", "Mul", "Pow", "Sqrt", "Exp"}
)


def normalisations(graph: GraphView) -> set[str]:
    """From the square to the root and its reciprocal: LayerNorm and RMSNorm in single operators, and such a Softmax.

    And a variance without a root, as pooled statistics have it, where it is a difference of means: E[x^2] - E[x]^2.
    """
    found: set[str] = set()
    for node in graph.nodes:
        of_softmax = node.op_type == "ReduceSum" and _has_exp(node, graph)
        if not (of_softmax or _is_root(node, graph) or _is_difference_of_means(node, graph)):
            continue
        back = _statistics_behind(node, graph)
        reduced = any(item.op_type.startswith("Reduce") for item in back)
        if reduced:
            forward = [item for item in graph.read_by(node) if item.op_type in ("Div", "Reciprocal", "Pow")]
            found.update(item.name for item in (*back, *forward))
    return found


def _is_root(node: onnx.NodeProto, graph: GraphView) -> bool:
    """Sqrt(x), or x to the power of one half or minus one half."""
    if node.op_type != "Pow" or node.input[1] not in graph.weights:
        return bool(node.op_type == "Sqrt")
    exponent = numpy_helper.to_array(graph.weights[node.input[1]])
    return bool(exponent.size) and bool((np.abs(exponent) == _HALF).all())


def _is_difference_of_means(node: onnx.NodeProto, graph: GraphView) -> bool:
    """A difference of near numbers: what half leaves of two means may be nothing of their difference."""
    if node.op_type != "Sub":
        return False
    makers = list(graph.made_of(node))
    means = [item for item in makers if item.op_type in _REDUCTIONS]
    of_squares = any(item.op_type == "ReduceSumSquare" or any(map(is_square, graph.made_of(item))) for item in means)
    squares = [item for item in makers if is_square(item)]
    return of_squares and any(item.op_type in _REDUCTIONS for square in squares for item in graph.made_of(square))


def is_square(node: onnx.NodeProto) -> bool:
    return bool(node.op_type == "Pow") or (node.op_type == "Mul" and len(set(node.input)) == 1)


def _has_exp(node: onnx.NodeProto, graph: GraphView) -> bool:
    return any(item.op_type == "Exp" for item in graph.made_of(node))


def _statistics_behind(node: onnx.NodeProto, graph: GraphView) -> list[onnx.NodeProto]:
    """Back from a root: what is added, the mean, the square; what was squared is no part of it."""
    found, waiting = [node], [node]
    while waiting:
        current = waiting.pop()
        squares = current is not node and (current.op_type == "Exp" or is_square(current))
        # What was squared is no part of it, unless it is a mean itself: E[x^2] - E[x]^2.
        allowed = _REDUCTIONS if squares else _STATISTICS
        more = [item for item in graph.made_of(current) if item.op_type in allowed and item not in found]
        found += more
        waiting += more
    return found
