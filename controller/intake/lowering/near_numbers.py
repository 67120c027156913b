"""Asks a reference run for what cancels: differences that a graph takes, and those inside of its operators."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx

from controller.intake.graph.probe import Probe
from controller.intake.lowering.cancellations import DIFFERENCES, difference
from controller.intake.lowering.masks import SOFTMAX
from controller.intake.lowering.seen_values import BITS_LOST, Difference

_SHARE, _LOST, _SPREAD = "/share", "/lost", "/spread"
_MOST_LOST = 0.25  # the share of differences that may be of near numbers, as zeros are crossed
_LEAST_LOGIT = 1.0  # an exponential takes the size of a difference as it is: less of it changes little


class NearNumbers:
    """`typed`: the model with its inferred types. Of its top-level graph."""

    def __init__(self, typed: onnx.ModelProto) -> None:
        self._typed = typed
        items = (*typed.graph.input, *typed.graph.value_info, *typed.graph.output)
        shaped = [item for item in items if item.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
        floats = {item.name for item in shaped}
        floats |= {item.name for item in typed.graph.initializer if item.data_type == onnx.TensorProto.FLOAT}
        self._ranks = {item.name: len(item.type.tensor_type.shape.dim) for item in shaped}
        self._nodes = [
            node
            for node in typed.graph.node
            if node.op_type in DIFFERENCES and floats.issuperset((*node.input, *node.output))
        ]
        self._inner = [node for node in typed.graph.node if node.input and node.input[0] in floats]

    def tensors(self) -> list[str]:
        """Those whose largest element `found` must know."""
        inner = [node.input[0] for node in self._inner if node.op_type in (*SOFTMAX, *_NORMALISING)]
        return list(dict.fromkeys([*(name for node in self._nodes for name in (*node.input, *node.output)), *inner]))

    def ask(self, probe: Probe) -> None:
        """Behind `NAME/abs` of each of the tensors."""
        factors = [
            probe.constant(np.array(number, dtype=np.float32), f"{_LOST}/{number}") for number in (BITS_LOST, 2.0**20)
        ]
        for node in self._nodes:
            _ask_lost(probe, node, factors)
        rows = dict(normalised_axes(self._typed, probe.opset))
        for node in self._inner:
            name, made = node.input[0], f"{node.output[0]}{_SPREAD}"
            if node.op_type in SOFTMAX and name in rows:
                _ask_spread(probe, name, probe.reduced("ReduceMax", name, rows[name], f"{made}/from"), made)
            elif node.op_type == "BatchNormalization" and name in self._ranks and self._ranks[name] > 1:
                shape = probe.constant([-1, *[1] * (self._ranks[name] - 2)], f"{made}/shape")
                probe.node("Reshape", [node.input[3], shape], f"{made}/from")
                _ask_spread(probe, name, f"{made}/from", made)
            elif axes := _axes_of_norm(node, self._ranks.get(name, 0)):
                _ask_spread(probe, name, probe.reduced("ReduceMean", name, axes, f"{made}/from"), made)

    def found(self, answers: Mapping[str, float]) -> dict[str, Difference]:
        """By the tensor that a node makes. `answers`: the largest elements by tensor, and what was asked for."""
        differences: dict[str, Difference] = {}
        for node in self._nodes:
            name, of = node.output[0], max(answers[item] for item in node.input)
            _add(differences, node, answers[name], of)
            if answers[f"{name}{_SHARE}"] > _MOST_LOST:
                _add(differences, node, answers[f"{name}{_LOST}"], of)
        for node in self._inner:
            spread = answers.get(f"{node.output[0]}{_SPREAD}", math.inf)
            unit = _LEAST_LOGIT if node.op_type in SOFTMAX else 0.0
            _add(differences, node, spread, answers.get(node.input[0], 0.0), unit=unit)
        return differences


def normalised_axes(typed: onnx.ModelProto, opset: int) -> Iterator[tuple[str, list[int]]]:
    """By the tensor that a Softmax reads. Before opset 13, all axes from the named one on were one."""
    items = (*typed.graph.input, *typed.graph.value_info, *typed.graph.output)
    ranks = {item.name: len(item.type.tensor_type.shape.dim) for item in items}
    for node in typed.graph.node:
        if node.op_type not in SOFTMAX:
            continue
        axis = next((item.i for item in node.attribute if item.name == "axis"), -1 if opset > 12 else 1)
        if opset > 12:
            yield node.input[0], [axis]
        elif ranks.get(node.input[0]):
            rank = ranks[node.input[0]]
            yield node.input[0], list(range(axis % rank, rank))


def _add(
    differences: dict[str, Difference], node: onnx.NodeProto, made: float, read: float, *, unit: float = 0.0
) -> None:
    found = difference(made, read, unit=unit) if math.isfinite(made) and math.isfinite(read) else None
    if found:
        differences.setdefault(node.output[0], found)


def _ask_lost(probe: Probe, node: onnx.NodeProto, factors: Sequence[str]) -> None:
    """The share of a node's elements that are little beside what they are made of, though not 0; and their largest."""
    name = node.output[0]
    made, read = f"{name}/abs", f"{name}{_LOST}/read"
    probe.node("Max", [f"{item}/abs" for item in node.input], read)
    for factor, bound in zip(factors, ("upper", "lower"), strict=True):
        probe.node("Mul", [made, factor], f"{name}{_LOST}/{bound}")
    probe.node("Less", [f"{name}{_LOST}/upper", read], f"{name}{_LOST}/little")
    probe.node("Less", [read, f"{name}{_LOST}/lower"], f"{name}{_LOST}/some")
    probe.node("And", [f"{name}{_LOST}/little", f"{name}{_LOST}/some"], f"{name}{_LOST}/both")
    probe.node("Cast", [f"{name}{_LOST}/both"], f"{name}{_LOST}/counted", to=onnx.TensorProto.FLOAT)
    probe.node("ReduceMean", [f"{name}{_LOST}/counted"], f"{name}{_SHARE}", keepdims=0)
    probe.node("Mul", [made, f"{name}{_LOST}/counted"], f"{name}{_LOST}/those")
    probe.node("ReduceMax", [f"{name}{_LOST}/those"], f"{name}{_LOST}", keepdims=0)
    for asked in (f"{name}{_SHARE}", f"{name}{_LOST}"):
        probe.ask(asked, asked)


def _ask_spread(probe: Probe, name: str, origin: str, made: str) -> None:
    """How far the elements of a tensor are from what is taken from them."""
    probe.node("Sub", [name, origin], f"{made}/all")
    probe.node("Abs", [f"{made}/all"], f"{made}/abs")
    probe.node("ReduceMax", [f"{made}/abs"], made, keepdims=0)
    probe.ask(made, made)


def _axes_of_norm(node: onnx.NodeProto, rank: int) -> list[int]:
    if node.op_type == "LayerNormalization":
        axis = next((item.i for item in node.attribute if item.name == "axis"), -1)
        return list(range(axis, 0)) if axis < 0 else list(range(axis, rank))
    first = {"InstanceNormalization": 2, "GroupNormalization": 1}.get(node.op_type, rank)
    return list(range(first, rank))


_NORMALISING = ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization")
