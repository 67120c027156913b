"""Every node of a graph, those of its bodies included. Pure."""

from collections.abc import Iterator

import onnx


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
