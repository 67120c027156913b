"""Channels of weights of which half precision leaves little, although the whole is large. Pure.

They are told where a graph is refused, and no reason to keep float32: a channel that training has pruned is as small.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.lowering.seen_values import SMALLEST

_LITTLE = SMALLEST / 32  # half holds it with 5 bits less
_MOST = 3  # that are named


def faint_channels(graph: onnx.GraphProto) -> str:
    """Ready to be said; empty where there is none."""
    weights = {item.name: item for item in graph.initializer}
    found = [
        f"channel {channel} of {node.input[1]!r} (reaches {largest:.2g} only)"
        for node in graph.node
        if (axis := _channel_axis(node)) is not None and node.input[1] in weights
        for channel, largest in _faint(weights[node.input[1]], axis)
    ]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"{', '.join(found[:_MOST])}{more}"


def _channel_axis(node: onnx.NodeProto) -> int | None:
    turned = any(item.name == "transB" and item.i for item in node.attribute)
    axes = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if turned else -1, "MatMul": -1}
    return axes.get(node.op_type)


def _faint(weight: onnx.TensorProto, axis: int) -> list[tuple[int, float]]:
    array = np.abs(numpy_helper.to_array(weight))
    if array.ndim < 2 or not array.size:
        return []
    largest = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1).max(axis=1)
    return [(index, float(size)) for index, size in enumerate(largest) if 0 < size < _LITTLE]
