"""INT8 with as little left in float as its outputs allow: products that quantising would ruin are found by trying.

A detector's boxes and scores often read one tensor whose channels are of very different size: one scale for it loses
the small ones. What is tried: the last products before an output that failed, one at a time and together, then those
before them; at least half of the products stay quantised.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from controller.intake.lowering.graph_view import inner_nodes
from controller.intake.lowering.qdq import Quantiser
from controller.intake.lowering.qdq_placement import COMPUTE
from controller.intake.lowering.seen_values import SeenValues
from jetfleet.outputs.bounds import Judgement
from jetfleet.outputs.labels import names_in

_MOST_TRIES = 16
_LARGE_BYTES, _MOST_TRIES_OF_LARGE = 64 << 20, 4
_MOST_LAYERS = 3
Judge = Callable[[onnx.ModelProto], Mapping[str, Judgement]]


@dataclass(frozen=True)
class Int8Graph:
    """A quantised graph, and what people are told of it."""

    model: onnx.ModelProto
    remarks: tuple[str, ...] = ()


def fit(quantiser: Quantiser, judge: Judge, *, seen: SeenValues) -> Int8Graph:
    """`judge` holds a graph against FP32, by output. Where nothing passes, the graph with all products quantised."""
    whole = quantiser.quantise(seen=seen)
    failed = _failed(judge(whole))
    if not failed:
        return Int8Graph(whole)
    said = "; ".join(f"output {name!r}: {found.detail}" for name, found in failed.items())
    search = _FloatSearch(quantiser, judge, seen)
    left = search.find(_outputs_of(failed))
    if left is None:
        tried = f"; leaving the last {search.tried} in float was tried" if search.tried else ""
        return Int8Graph(whole, (f"with all products quantised, {said}{tried}",))
    found, model = left
    return Int8Graph(model, (f"{', '.join(found)} stay in float: with all products quantised, {said}",))


class _FloatSearch:
    """Tries what to leave in float, within a number of tries that depends on the graph's size alone."""

    def __init__(self, quantiser: Quantiser, judge: Judge, seen: SeenValues) -> None:
        self._quantiser, self._judge, self._seen = quantiser, judge, seen
        graph = quantiser.graph.graph
        self._maker = {name: node for node in graph.node for name in node.output if name}
        self._most_left = sum(node.op_type in COMPUTE for node in graph.node) // 2
        large = quantiser.size_bytes > _LARGE_BYTES
        self._tries = _MOST_TRIES_OF_LARGE if large else _MOST_TRIES
        self.tried = 0  # the largest number of products left in float

    def find(self, outputs: Sequence[str]) -> tuple[list[str], onnx.ModelProto] | None:
        """The names of what has to stay in float, and the graph; None where nothing helps."""
        layer = _last_products(outputs, self._maker)
        names, model = self._best_single(layer)
        if model is not None:
            return names, model
        for count in range(2, len(names) + 1):
            made = self._passing(names[:count])
            if made is not None:
                return self._fewest(names[:count], made)
        return self._further(names, layer)

    def _further(
        self, left: Sequence[str], layer: Sequence[onnx.NodeProto]
    ) -> tuple[list[str], onnx.ModelProto] | None:
        """With what stands before the last products too, and before those."""
        names = list(left)
        for _ in range(_MOST_LAYERS - 1):
            layer = _last_products([name for node in layer for name in node.input], self._maker)
            names += [node.name for node in layer if node.name not in names]
            made = self._passing(names) if layer else None
            if made is not None:
                return self._fewest(names, made)
        return None

    def _best_single(self, layer: Sequence[onnx.NodeProto]) -> tuple[list[str], onnx.ModelProto | None]:
        """All of a layer, the most helpful first; with a graph, that one alone is enough."""
        scores: dict[str, float] = {}
        for node in layer:
            made = self._try([node.name])
            if made is None:
                continue
            model, found = made
            if not _failed(found):
                return [node.name], model
            scores[node.name] = sum(_quality(item) for item in found.values())
        names = [node.name for node in layer]
        return sorted(names, key=lambda name: -scores.get(name, 0.0)), None

    def _fewest(self, left: Sequence[str], model: onnx.ModelProto) -> tuple[list[str], onnx.ModelProto]:
        """Without those that need not stay in float, as far as the tries reach."""
        kept = list(left)
        for name in left:
            fewer = [item for item in kept if item != name]
            made = self._passing(fewer) if fewer else None
            if made is not None:
                kept, model = fewer, made
        return kept, model

    def _passing(self, left: Sequence[str]) -> onnx.ModelProto | None:
        made = self._try(left)
        return made[0] if made is not None and not _failed(made[1]) else None

    def _try(self, left: Sequence[str]) -> tuple[onnx.ModelProto, Mapping[str, Judgement]] | None:
        if len(left) > self._most_left or not self._tries:
            return None
        self._tries -= 1
        self.tried = max(self.tried, len(left))
        model = self._quantiser.quantise(left, seen=self._seen)
        return model, self._judge(model)


def _failed(found: Mapping[str, Judgement]) -> dict[str, Judgement]:
    return {name: item for name, item in found.items() if not item.passed}


def _outputs_of(found: Iterable[str]) -> list[str]:
    """The outputs of a set are judged under one label."""
    return [name for label in found for name in (label, *names_in(label))]


def _quality(found: Judgement) -> float:
    values = (found.worst_slice_cosine, found.cosine, found.equal_share)
    known = [value for value in values if value is not None]
    return min(known) if known else float(found.passed)


def _last_products(tensors: Iterable[str], maker: Mapping[str, onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The products that feed the tensors with no other product between, the nearest first."""
    found: dict[str, onnx.NodeProto] = {}
    waiting, seen = list(tensors), set(tensors)
    while waiting:
        node = maker.get(waiting.pop(0))
        if node is None:
            continue
        if node.op_type in COMPUTE:
            found.setdefault(node.name, node)
            continue
        read = [*node.input, *(name for inner in inner_nodes(node) for name in inner.input)]
        fresh = [name for name in read if name and name not in seen]
        seen.update(fresh)
        waiting += fresh
    return list(found.values())
