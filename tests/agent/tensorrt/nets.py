"""Small networks of the kinds that people build engines from, made with onnx.helper from a fixed seed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from jetfleet.v1.task_pb2 import ShapeRange, TensorSpec


class Net:
    """A graph that grows node by node; every method answers with the name of its output."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{len(self.nodes)}", **attributes))
        return output

    def constant(self, value: Any, dtype: str = "int64") -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def weight(self, *shape: int) -> str:
        return self.constant(self._random.normal(scale=0.2, size=shape), "float32")

    def conv(self, x: str, ins: int, outs: int, *, kernel: int = 3, group: int = 1, **attributes: Any) -> str:
        pad = kernel // 2
        weight = self.weight(outs, ins // group, kernel, kernel)
        return self.node("Conv", x, weight, self.weight(outs), pads=[pad] * 4, group=group, **attributes)

    def norm(self, x: str, size: int) -> str:
        scale, shift = self.weight(size), self.weight(size)
        variance = self.constant(np.ones(size), "float32")
        return self.node("BatchNormalization", x, scale, shift, self.weight(size), variance)

    def linear(self, x: str, ins: int, outs: int) -> str:
        return self.node("Add", self.node("MatMul", x, self.weight(ins, outs)), self.weight(outs))

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(shape))

    def quantized(self, x: str, scale: float = 0.05) -> str:
        """A Q/DQ pair: INT8, symmetric, one scale."""
        pair = self.constant(scale, "float32"), self.constant(0, "int8")
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *pair), *pair)

    def model(
        self, output: str, shape: Sequence["int | str"], *, dtype: int = TensorProto.FLOAT, opset: int = 17
    ) -> onnx.ModelProto:
        """With one input x, and one output whose shape follows."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", dtype, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def resnet() -> onnx.ModelProto:
    net = Net()
    x = net.node("Relu", net.norm(net.conv("x", 3, 8, strides=[2, 2]), 8))
    for _ in range(2):
        branch = net.node("Relu", net.norm(net.conv(x, 8, 8), 8))
        x = net.node("Relu", net.node("Add", x, net.norm(net.conv(branch, 8, 8), 8)))
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    return net.model(net.node("Gemm", x, net.weight(8, 10), net.weight(10)), [1, 3, 32, 32])


def mobilenet() -> onnx.ModelProto:
    net = Net()
    six = net.constant(0.0, "float32"), net.constant(6.0, "float32")
    x = net.conv("x", 3, 8, strides=[2, 2])
    for _ in range(2):
        wide = net.node("Clip", net.conv(x, 8, 16, kernel=1), *six)
        deep = net.node("Clip", net.conv(wide, 16, 16, group=16), *six)
        x = net.node("Add", x, net.conv(deep, 16, 8, kernel=1))
    return net.model(net.node("Softmax", net.node("Flatten", net.node("GlobalAveragePool", x))), [1, 3, 32, 32])


def vit() -> onnx.ModelProto:
    net, width, heads = Net(), 16, 2
    patches = net.node("Conv", "x", net.weight(width, 3, 8, 8), strides=[8, 8])
    x = net.node("Transpose", net.reshape(patches, 1, width, 16), perm=[0, 2, 1])
    x = net.node("Add", x, net.weight(1, 16, width))
    normed = net.node("LayerNormalization", x, net.weight(width), net.weight(width))
    query, key, value = (
        net.node("Transpose", net.reshape(net.linear(normed, width, width), 1, 16, heads, 8), perm=[0, 2, 1, 3])
        for _ in range(3)
    )
    scores = net.node("MatMul", query, net.node("Transpose", key, perm=[0, 1, 3, 2]))
    shares = net.node("Softmax", net.node("Mul", scores, net.constant(8**-0.5, "float32")), axis=-1)
    heard = net.node("Transpose", net.node("MatMul", shares, value), perm=[0, 2, 1, 3])
    x = net.node("Add", x, net.linear(net.reshape(heard, 1, 16, width), width, width))
    hidden = net.linear(x, width, 32)
    gelu = net.node("Mul", hidden, net.node("Erf", hidden))
    x = net.node("Add", x, net.linear(gelu, 32, width))
    return net.model(net.linear(net.node("ReduceMean", x, axes=[1], keepdims=0), width, 10), [1, 3, 32, 32])


def detector() -> onnx.ModelProto:
    net = Net()
    fine = net.node("Relu", net.conv("x", 3, 8, strides=[2, 2]))
    coarse = net.node("LeakyRelu", net.conv(fine, 8, 16, strides=[2, 2]), alpha=0.1)
    scales = net.constant([1, 1, 2, 2], "float32")
    upsampled = net.node("Resize", coarse, "", scales, mode="nearest", nearest_mode="floor")
    joined = net.node("Concat", fine, upsampled, axis=1)
    boxes = [
        net.reshape(net.conv(feature, channels, 6, kernel=1), 1, 6, -1)
        for feature, channels in ((joined, 24), (coarse, 16))
    ]
    return net.model(net.node("Sigmoid", net.node("Concat", *boxes, axis=2)), [1, 3, 32, 32])


def lstm() -> onnx.ModelProto:
    net, size = Net(), 8
    weights = net.weight(1, 4 * size, 6), net.weight(1, 4 * size, size), net.weight(1, 8 * size)
    hidden = net.node("LSTM", "x", *weights, hidden_size=size)
    return net.model(net.linear(net.reshape(hidden, 5, size), size, 4), [5, 1, 6])


def gru() -> onnx.ModelProto:
    net, size = Net(), 8
    weights = net.weight(1, 3 * size, 6), net.weight(1, 3 * size, size), net.weight(1, 6 * size)
    hidden = net.node("GRU", "x", *weights, hidden_size=size, linear_before_reset=1)
    return net.model(net.linear(net.reshape(hidden, 5, size), size, 4), [5, 1, 6])


def text() -> onnx.ModelProto:
    """Token ids, 64 bits wide, through an embedding."""
    net = Net()
    x = net.node("Gather", net.weight(50, 8), "x")
    return net.model(net.linear(net.node("Tanh", x), 8, 4), [1, 12], dtype=TensorProto.INT64)


def dynamic() -> onnx.ModelProto:
    net = Net()
    x = net.node("GlobalMaxPool", net.node("Relu", net.conv("x", 3, 8)))
    return net.model(net.node("Flatten", x), ["batch", 3, "height", "width"])


def quantized() -> onnx.ModelProto:
    net = Net()
    x = net.quantized("x")
    for ins, outs in ((3, 16), (16, 16)):
        weight = net.quantized(net.weight(outs, ins, 3, 3), 0.01)
        x = net.quantized(net.node("Relu", net.node("Conv", x, weight, pads=[1] * 4)))
    return net.model(x, [1, 3, 32, 32])


IMAGE = TensorSpec(name="x", dtype="float32", shape=[1, 3, 32, 32])
SEQUENCE = TensorSpec(name="x", dtype="float32", shape=[5, 1, 6])
TOKENS = TensorSpec(name="x", dtype="int64", shape=[1, 12])
RANGED = TensorSpec(
    name="x",
    dtype="float32",
    shape=[2, 3, 32, 32],
    range=ShapeRange(min=[1, 3, 16, 16], opt=[2, 3, 32, 32], max=[4, 3, 64, 64]),
)
NETS: dict[str, tuple[Callable[[], onnx.ModelProto], TensorSpec]] = {
    "resnet": (resnet, IMAGE),
    "mobilenet": (mobilenet, IMAGE),
    "vit": (vit, IMAGE),
    "detector": (detector, IMAGE),
    "lstm": (lstm, SEQUENCE),
    "gru": (gru, SEQUENCE),
    "text": (text, TOKENS),
    "dynamic": (dynamic, RANGED),
    "quantized": (quantized, IMAGE),
}
