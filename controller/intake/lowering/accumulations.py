"""Operators that add up many values for each one that they make: half may overflow inside of them. Pure.

The result of a mean is small whatever its sum was: the values of a run do not show what happened on the way.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import onnx

from controller.intake.lowering.masks import SOFTMAX

Shape = Sequence[int]
_REDUCING = frozenset({"ReduceSum", "ReduceMean", "ReduceL1", "ReduceLogSum", "GlobalAveragePool"})
# These add up squares of what they read too. LayerNormalization says itself that its statistics are float32.
_SQUARING = frozenset({"InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization"})


def accumulates(node: onnx.NodeProto) -> bool:
    return node.domain in ("", "ai.onnx") and (
        node.op_type in _REDUCING or node.op_type in _SQUARING or node.op_type in ("AveragePool", *SOFTMAX)
    )


def largest_sum(node: onnx.NodeProto, read: Shape, made: Shape, *, largest: float) -> float:
    """The largest number that may occur inside. `read`, `made`: shapes; `largest`: |x| of what the node reads."""
    if node.op_type in _REDUCING:
        return largest * (math.prod(read) // max(math.prod(made), 1))
    if node.op_type in SOFTMAX:  # of exponentials, the largest of which is 1
        axis = next((item.i for item in node.attribute if item.name == "axis"), -1)
        return float(read[axis]) if read else 1.0
    term = max(largest, largest * largest) if node.op_type in _SQUARING else largest
    return term * _TERMS[node.op_type](node, read)


def _of_kernel(node: onnx.NodeProto, read: Shape) -> int:
    return math.prod(_ints(node, "kernel_shape", default=()))


def _of_instance(node: onnx.NodeProto, read: Shape) -> int:
    return math.prod(read[2:])


def _of_group(node: onnx.NodeProto, read: Shape) -> int:
    groups = next((item.i for item in node.attribute if item.name == "num_groups"), 1)
    return math.prod(read[1:]) // max(groups, 1)


def _of_axes(node: onnx.NodeProto, read: Shape) -> int:
    return math.prod(read[axis] for axis in _ints(node, "axes", default=(0, 2, 3)) if axis < len(read))


def _ints(node: onnx.NodeProto, name: str, *, default: Shape) -> Shape:
    return next((tuple(item.ints) for item in node.attribute if item.name == name), default)


_TERMS: Mapping[str, Callable[[onnx.NodeProto, Shape], int]] = {
    "AveragePool": _of_kernel,
    "InstanceNormalization": _of_instance,
    "GroupNormalization": _of_group,
    "MeanVarianceNormalization": _of_axes,
}
