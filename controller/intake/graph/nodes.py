"""Every node of a graph, those of its bodies included, and whatever else a model holds anywhere. Pure."""

from collections.abc import Iterator, Sequence
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
