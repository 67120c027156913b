"""Every node of a graph, those of its bodies included, and whatever else a model holds anywhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import onnx

Message = TypeVar("Message")


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for item in node.attribute:
        if item.HasField("g"):
            yield item.g
        yield from item.graphs


def walk(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    """In the order of computation; the bodies of a node come after it."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from walk(body)


def messages(message: Any, kind: type[Message]) -> Iterator[Message]:
    """Every message of a kind in another: initialisers, attributes, bodies, functions, training graphs."""
    waiting = [message]
    while waiting:
        current = waiting.pop()
        if isinstance(current, kind):
            yield current
        waiting += _messages_in(current)


def _messages_in(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield from value if isinstance(value, Sequence) else [value]


def inputs_behind(path: Path, node_name: str) -> set[str]:
    """The graph's inputs that lead to the node of that name; a body's node has what its If or Loop reads behind it."""
    graph = onnx.load_model(str(path), load_external_data=False).graph
    made_of = dict(_reads(graph, frozenset()))
    found: set[str] = set()
    waiting = [name for node, reads in _named_reads(graph, frozenset()) if node == node_name for name in reads]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += made_of.get(name, ())
    return found & {item.name for item in graph.input}


def _reads(graph: onnx.GraphProto, around: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """By tensor: what the node that makes it reads."""
    for node in graph.node:
        reads = around.union(node.input, *(_all_inputs(body) for body in bodies(node)))
        yield from ((name, reads) for name in node.output)
        for body in bodies(node):
            yield from _reads(body, around.union(node.input))


def _named_reads(graph: onnx.GraphProto, around: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for node in graph.node:
        yield node.name, around.union(node.input)
        for body in bodies(node):
            yield from _named_reads(body, around.union(node.input))


def _all_inputs(body: onnx.GraphProto) -> set[str]:
    return {name for node in walk(body) for name in node.input}
