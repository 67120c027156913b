"""Outputs of integers that the graph rounds from floats, as an image's bytes are: not indices, labels or masks. Pure.

Rounding falls either way where a float is near a half; an index or a label is another one then.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from controller.intake.graph.tensors import Array

TOLERANCE = 1
_LEAST_VALUES = 32  # different ones: of fewer a tolerance would leave nothing, as of a mask of 0 and 1

_NARROW = frozenset({TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16})
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})
# What leaves values what they are, or picks among them: by the first input.
_FIRST = """
    Cast CastLike Round Floor Ceil Clip Transpose Reshape Squeeze Unsqueeze Flatten Slice Split Identity Expand
    Tile Pad Resize Upsample DepthToSpace SpaceToDepth QuantizeLinear DequantizeLinear GatherElements GatherND Gather
    MaxPool ReduceMax ReduceMin Abs Neg"""
_ALL = "Add Sub Mul Div Min Max Concat Sum"
_BRANCHES = "Where"
_EXACT = """
    ArgMax ArgMin TopK NonZero NonMaxSuppression Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor
    IsNaN IsInf Hardmax OneHot Sign Shape Size Range Constant ConstantOfShape EyeLike Mod BitwiseAnd BitwiseOr
    BitwiseXor BitwiseNot BitShift Unique Multinomial Bernoulli If Loop Scan"""
_FIRST_OF, _ALL_OF, _BRANCHES_OF, _NONE_OF = (frozenset(names.split()) for names in (_FIRST, _ALL, _BRANCHES, _EXACT))


def rounded_outputs_of(path: Path, outputs: Mapping[str, Array]) -> tuple[str, ...]:
    return rounded_outputs(onnx.load_model(str(path), load_external_data=False).graph, outputs)


def rounded_outputs(graph: onnx.GraphProto, outputs: Mapping[str, Array]) -> tuple[str, ...]:
    """By name, in the graph's order; `outputs` are an answer of it. What another domain computes counts as exact."""
    makers = {name: node for node in graph.node for name in node.output if name}
    floats = {item.name for item in graph.input if item.type.tensor_type.elem_type in _FLOATS}
    held = {item.name for item in graph.initializer}
    return tuple(
        item.name
        for item in graph.output
        if item.type.tensor_type.elem_type in _NARROW
        and item.name in outputs
        and len(np.unique(outputs[item.name])) >= _LEAST_VALUES
        and _is_computed(item.name, makers, floats - held)
    )


def _is_computed(output: str, makers: Mapping[str, onnx.NodeProto], floats: set[str]) -> bool:
    """Whether a float that was computed, or an input of floats, is what this was made of."""
    seen, waiting = set[str](), [output]
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if name in seen:
            continue
        seen.add(name)
        if name in floats:
            return True
        if node is None or node.op_type in _NONE_OF or node.domain not in ("", "ai.onnx"):
            continue
        if node.op_type not in _FIRST_OF | _ALL_OF | _BRANCHES_OF:
            return True
        waiting += _values_of(node)
    return False


def _values_of(node: onnx.NodeProto) -> Iterator[str]:
    """The inputs whose values become the node's."""
    if node.op_type in _FIRST_OF:
        yield node.input[0]
    elif node.op_type in _BRANCHES_OF:
        yield from node.input[1:]
    else:
        yield from node.input
