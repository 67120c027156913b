"""What TensorRT demands of Q/DQ pairs (its ONNX importer, 10.1), checked on the graph, node by node. Pure.

Held against every INT8 graph made here, and against a user's own before a job that sends it to TensorRT is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

from controller.intake.graph.tensors import Array
from jetfleet.plural import counted

PAIR = ("QuantizeLinear", "DequantizeLinear")
# What quantises beside the pairs: forms of ONNX Runtime's own kernels, which TensorRT's importer does not know.
_INTEGER = ("DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
_MICROSOFT_DYNAMIC = ("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat", "MatMulInteger16")
_MICROSOFT_WEIGHTS = ("MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "GatherBlockQuantized", "QMoE")
_MICROSOFT_LINEAR = (
    *("QAttention", "QGemm", "QEmbedLayerNormalization", "QLinearAdd", "QLinearMul", "QLinearAveragePool"),
    *("QLinearGlobalAveragePool", "QLinearConcat", "QLinearLeakyRelu", "QLinearReduceMean", "QLinearSigmoid"),
    *("QLinearSoftmax", "QLinearWhere", "QOrderedAttention", "QOrderedGelu", "QOrderedLayerNormalization"),
    *("QOrderedLongformerAttention", "QOrderedMatMul"),
)
OTHERS = frozenset({*_INTEGER, *_MICROSOFT_DYNAMIC, *_MICROSOFT_WEIGHTS, *_MICROSOFT_LINEAR})
_SYMMETRIC = "quantise again with signed 8-bit types and symmetric ranges, activations too"


class QdqError(ValueError):
    """A node that breaks a rule, what it should be, and how to get there."""

    def __init__(self, node: onnx.NodeProto, problem: str, *, expected: str, hint: str) -> None:
        super().__init__(f"{node.op_type} {node.name or node.output[0]!r} {problem}")
        self.expected, self.hint = expected, hint


@dataclass
class _Known:
    """Constants and where weights come from: what the rules look at beside the node."""

    arrays: dict[str, onnx.TensorProto] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of weights, and of what is made of them alone


def check(model: onnx.ModelProto) -> int:
    """The number of Q and DQ nodes, all of which TensorRT takes. Raises QdqError for the first that it does not."""
    return _check(model.graph, _Known())


def _check(graph: onnx.GraphProto, outside: _Known) -> int:
    known = _Known({**outside.arrays, **{item.name: item for item in graph.initializer}}, dict(outside.shapes))
    known.shapes |= {item.name: tuple(item.dims) for item in graph.initializer}
    count = 0
    for node in graph.node:
        if node.op_type == "Constant":
            known.arrays.update((node.output[0], item.t) for item in node.attribute if item.name == "value")
        _refuse_others(node)
        if node.op_type in PAIR:
            _check_node(node, known)
            count += 1
            if node.input[0] in known.shapes:
                known.shapes[node.output[0]] = known.shapes[node.input[0]]
        count += sum(_check(inner, known) for inner in _subgraphs(node))
    return count


def _refuse_others(node: onnx.NodeProto) -> None:
    if node.op_type in OTHERS:
        raise QdqError(
            node,
            "is an operator that TensorRT does not know",
            expected="QuantizeLinear and DequantizeLinear pairs",
            hint="quantise to the QDQ format",
        )


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def _check_node(node: onnx.NodeProto, known: _Known) -> None:
    scale = _constant(node, 1, known)
    if scale is None:
        raise QdqError(
            node,
            "has a scale that is not constant",
            expected="a scale that is an initializer",
            hint="export with constant folding; TensorRT quantises with static scales only",
        )
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise QdqError(
            node,
            "has a scale that is not positive: its range is not finite",
            expected="scales above 0",
            hint="calibrate with data whose activations are finite",
        )
    _check_zero(node, scale, known)
    _check_axis(node, scale, known)


def _check_without_zero(node: onnx.NodeProto, known: _Known) -> None:
    kind = next((item.i for item in node.attribute if item.name == "output_dtype"), 0)
    weights = known.arrays.get(node.input[0])
    signed = kind or (weights.data_type if weights is not None else 0)
    if node.op_type == "QuantizeLinear" and signed != onnx.TensorProto.INT8:
        raise QdqError(
            node,
            "has no zero point: ONNX takes it as UINT8 then, and TensorRT as INT8",
            expected="a zero point, INT8 0",
            hint=_SYMMETRIC,
        )


def _check_zero(node: onnx.NodeProto, scale: Array, known: _Known) -> None:
    if len(node.input) < 3 or not node.input[2]:
        _check_without_zero(node, known)
        return
    zero = known.arrays.get(node.input[2])
    if zero is None:
        raise QdqError(
            node, "has a zero point that is not constant", expected="an initializer, INT8 0", hint=_SYMMETRIC
        )
    if zero.data_type != onnx.TensorProto.INT8 or numpy_helper.to_array(zero).any():
        kind = onnx.TensorProto.DataType.Name(zero.data_type)
        raise QdqError(
            node, f"has a zero point that is not a signed 0 (it is {kind})", expected="INT8, all 0", hint=_SYMMETRIC
        )
    if int(np.prod(zero.dims)) != scale.size:
        message = f"has {counted(scale.size, 'scale')} and {int(np.prod(zero.dims))} zero points"
        raise QdqError(node, message, expected="as many zero points as scales", hint=_SYMMETRIC)


def _check_axis(node: onnx.NodeProto, scale: Array, known: _Known) -> None:
    """A scalar: per tensor. One dimension: per channel, of weights alone, along an axis that is written down."""
    if scale.size == 1 and scale.ndim <= 1:
        return
    if scale.ndim != 1:
        raise QdqError(
            node,
            f"has a scale of shape {list(scale.shape)}",
            expected="one scale, or one per channel",
            hint="INT8 in blocks is not supported",
        )
    shape = known.shapes.get(node.input[0])
    if shape is None:
        raise QdqError(
            node,
            "quantises an activation per channel",
            expected="one scale",
            hint="per-channel scales for weights only",
        )
    axis = next((item.i for item in node.attribute if item.name == "axis"), None)
    if axis is None:
        raise QdqError(
            node,
            "names no axis: ONNX takes 1 then, and TensorRT 0",
            expected="an axis attribute",
            hint="set axis where the node is made",
        )
    if not -len(shape) <= axis < len(shape) or shape[axis] != scale.size:
        raise QdqError(
            node,
            f"has {counted(scale.size, 'scale')} for axis {axis} of {list(shape)}",
            expected="one for each index along the axis",
            hint="the axis of the output channels: 0 for Conv, 1 for ConvTranspose",
        )


def _constant(node: onnx.NodeProto, index: int, known: _Known) -> Array | None:
    tensor = known.arrays.get(node.input[index]) if len(node.input) > index else None
    return None if tensor is None else numpy_helper.to_array(tensor)
