"""Where an INT8 graph over FP16 has pairs beside those before its products: what a GPU wants, and what a DLA. Pure.

A GPU adds the shortcut of a residual block within the kernel of the block's last product, if that shortcut is INT8: one
that is a product itself (a projection) has no reader that quantises it. A DLA runs a region in INT8 only if each tensor
within it has a scale, else in FP16. What leaves the graph stays float.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

COMPUTE = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# Which inputs of an operator that a DLA runs are activations; else the first one alone.
_TWO = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "MatMul", "Gemm")
_ON_DLA = frozenset(
    (
        *(*COMPUTE, *_TWO, "Concat", "BatchNormalization", "Clip", "LeakyRelu", "PRelu", "Relu", "Sigmoid", "Softmax"),
        *("Tanh", "AveragePool", "GlobalAveragePool", "MaxPool", "ReduceMax", "ReduceMean", "ReduceSum", "Resize"),
        *("Flatten", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
    )
)
_NAMED = 5  # tensors in a remark
# Who reads a tensor, and as which of its inputs.
Readers: TypeAlias = Mapping[str, Collection[tuple[onnx.NodeProto, int]]]


def shortcuts(graph: onnx.GraphProto, left: Collection[str]) -> Readers:
    """The product of each residual sum that has fewer products before it, where both of what it adds are products."""
    maker = {name: node for node in graph.node for name in node.output}
    depths = _depths(graph.node)
    found: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        made = [maker.get(name) for name in node.input] if node.op_type == "Add" else []
        if len(made) == 2 and all(item and item.op_type in COMPUTE and item.name not in left for item in made):
            index = 0 if depths[node.input[0]] < depths[node.input[1]] else 1
            found.setdefault(node.input[index], []).append((node, index))
    return found


def between(graph: onnx.GraphProto, left: Collection[str]) -> Readers:
    """Every tensor that one layer of a DLA gives another, or that the first one is given."""
    makers = {name: node.op_type in _ON_DLA for node in graph.node for name in node.output}
    held = {item.name for item in graph.initializer}
    makers |= {item.name: True for item in graph.input if item.name not in held}
    found: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        for index in _activations(node) if node.name not in left else ():
            if makers.get(node.input[index]):
                found.setdefault(node.input[index], []).append((node, index))
    return found


def remark(graph: onnx.GraphProto) -> str:
    """What of a finished graph a DLA runs in FP16; empty: nothing."""
    names = list(between(graph, ()))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    without = f"{', '.join(names[:_NAMED])}{more}"
    return f"what makes or reads {without} runs in fp16 on a DLA: these tensors have no scale" if names else ""


def add_pairs(graph: onnx.GraphProto, readers: Readers, limits: Mapping[str, float]) -> None:
    """Gives the readers of each tensor whose largest value is known what a pair makes of it."""
    pairs: dict[str, list[onnx.NodeProto]] = {}
    for name in (name for name in readers if name in limits):
        scale, zero, placed = f"{name}_placed_scale", f"{name}_placed_zero", f"{name}_placed"
        value = np.float32(limits[name] / 127 or 1)  # of what is always 0, any scale is right
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), scale))
        graph.initializer.append(numpy_helper.from_array(np.zeros((), np.int8), zero))
        forth = helper.make_node("QuantizeLinear", [name, scale, zero], [f"{placed}_q"], name=f"{placed}_q")
        back = helper.make_node("DequantizeLinear", [f"{placed}_q", scale, zero], [placed], name=f"{placed}_dq")
        pairs[name] = [forth, back]
        for node, index in readers[name]:
            node.input[index] = placed
    _insert(graph, pairs)


def _insert(graph: onnx.GraphProto, pairs: Mapping[str, Iterable[onnx.NodeProto]]) -> None:
    """Each right behind what makes its tensor; a graph's nodes stand in the order in which they run."""
    made = {name for node in graph.node for name in node.output}
    ordered = [pair for name, both in pairs.items() if name not in made for pair in both]
    for node in graph.node:
        ordered.append(node)
        ordered += [pair for name in node.output for pair in pairs.get(name, ())]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _depths(nodes: Iterable[onnx.NodeProto]) -> dict[str, int]:
    """How many products stand before a tensor, along the longest way."""
    depths: dict[str, int] = {}
    for node in nodes:
        depth = max((depths.get(name, 0) for name in node.input), default=0) + (node.op_type in COMPUTE)
        depths.update(dict.fromkeys(node.output, depth))
    return depths


def _activations(node: onnx.NodeProto) -> range:
    if node.op_type not in _ON_DLA:
        return range(0)
    if node.op_type == "Concat":
        return range(len(node.input))
    return range(min(len(node.input), 2 if node.op_type in _TWO else 1))
