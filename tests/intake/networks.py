"""Small networks of every family, made by hand with an open batch: what precisions and builders are tried on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from tests.intake.graphs import NODE, floats, model_of, network, value

IMAGE = value("x", ["N", 3, 16, 16])
SERIES = value("x", ["N", 6, 8])


def ints(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int64)


def residual() -> onnx.ModelProto:
    """A ResNet block: batch norms, a skip connection, global pooling."""
    nodes = [
        NODE("Conv", ["x", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        NODE("BatchNormalization", ["c1", "g", "b", "m", "v"], ["n1"]),
        NODE("Relu", ["n1"], ["r1"]),
        NODE("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        NODE("Conv", ["p1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        NODE("Add", ["c2", "p1"], ["a"]),
        NODE("Relu", ["a"], ["r2"]),
        NODE("GlobalAveragePool", ["r2"], ["p"]),
        NODE("Flatten", ["p"], ["f"]),
        NODE("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    weights = {"w1": floats(8, 3, 3, 3), "w2": floats(8, 8, 3, 3), "b2": floats(8), "w3": floats(5, 8), "b3": floats(5)}
    norm = {"g": np.ones(8, "f4"), "b": floats(8), "m": floats(8), "v": np.full(8, 9, "f4")}
    return model_of(nodes, [IMAGE], [value("y", ["N", 5])], opset=18, **weights, **norm)


def mobile() -> onnx.ModelProto:
    """A MobileNet block: depthwise convolution, hard swish, squeeze and excite."""
    nodes = [
        NODE("Conv", ["x", "w1", "b1"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        NODE("HardSwish", ["c1"], ["h1"]),
        NODE("Conv", ["h1", "w2", "b1"], ["c2"], group=8, pads=[1, 1, 1, 1]),
        NODE("Clip", ["c2", "low", "high"], ["h2"]),
        NODE("ReduceMean", ["h2", "axes"], ["s"], keepdims=1),
        NODE("Conv", ["s", "w3"], ["s1"]),
        NODE("Relu", ["s1"], ["s2"]),
        NODE("Conv", ["s2", "w4"], ["s3"]),
        NODE("HardSigmoid", ["s3"], ["s4"]),
        NODE("Mul", ["h2", "s4"], ["e"]),
        NODE("Conv", ["e", "w5"], ["y"]),
    ]
    weights = {"w1": floats(8, 3, 3, 3), "b1": floats(8), "w2": floats(8, 1, 3, 3), "w3": floats(4, 8, 1, 1)}
    weights |= {"w4": floats(8, 4, 1, 1), "w5": floats(6, 8, 1, 1), "low": np.float32(0), "high": np.float32(6)}
    return model_of(nodes, [IMAGE], [value("y", ["N", 6, 8, 8])], opset=18, axes=ints(2, 3), **weights)


def attention() -> onnx.ModelProto:
    """A transformer's block: layer norm, products of activations, softmax, GELU by Erf, a token in front."""
    nodes = [
        NODE("Shape", ["x"], ["shape"], end=1),
        NODE("Concat", ["shape", "one_eight"], ["wide"], axis=0),
        NODE("Expand", ["token", "wide"], ["tokens"]),
        NODE("Concat", ["tokens", "x"], ["t"], axis=1),
        NODE("LayerNormalization", ["t", "g", "b"], ["n"], axis=-1),
        NODE("MatMul", ["n", "wq"], ["q"]),
        NODE("MatMul", ["n", "wk"], ["k"]),
        NODE("MatMul", ["n", "wv"], ["v"]),
        NODE("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        NODE("MatMul", ["q", "kt"], ["scores"]),
        NODE("Div", ["scores", "root"], ["scaled"]),
        NODE("Softmax", ["scaled"], ["p"], axis=-1),
        NODE("MatMul", ["p", "v"], ["a"]),
        NODE("Add", ["a", "t"], ["r"]),
        NODE("MatMul", ["r", "w1"], ["f"]),
        NODE("Div", ["f", "sqrt2"], ["d"]),
        NODE("Erf", ["d"], ["e"]),
        NODE("Add", ["e", "one"], ["e1"]),
        NODE("Mul", ["f", "e1"], ["gelu"]),
        NODE("MatMul", ["gelu", "w2"], ["o"]),
        NODE("Gather", ["o", "first"], ["y"], axis=1),
    ]
    weights = {name: floats(8, 8) / np.float32(3) for name in ("wq", "wk", "wv", "w1", "w2")}
    weights |= {"token": floats(1, 1, 8), "g": np.ones(8, "f4"), "b": floats(8)}
    weights |= {"root": np.float32(8**0.5), "sqrt2": np.float32(2**0.5), "one": np.float32(1)}
    sizes = {"one_eight": ints(1, 8), "first": np.array(0, dtype=np.int64)}
    return model_of(nodes, [SERIES], [value("y", ["N", 8])], opset=18, **weights, **sizes)


def recurrent(kind: str, gates: int) -> onnx.ModelProto:
    """A GRU or LSTM over time, batch first, and a classifier on its last state."""
    nodes = [
        NODE("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        NODE(kind, ["t", "w", "r", "b"], ["all", "h"], hidden_size=4),
        NODE("Squeeze", ["h", "zero"], ["last"]),
        NODE("Gemm", ["last", "w1", "b1"], ["y"], transB=1),
    ]
    weights = {"w": floats(1, gates * 4, 8), "r": floats(1, gates * 4, 4), "b": floats(1, gates * 8)}
    weights |= {"w1": floats(3, 4), "b1": floats(3)}
    return model_of(nodes, [SERIES], [value("y", ["N", 3])], opset=18, zero=ints(0), **weights)


def detector() -> onnx.ModelProto:
    """Two scales joined by resize and concat; the best boxes by TopK, their classes as integers."""
    nodes = [
        NODE("Conv", ["x", "w1", "b1"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        NODE("Sigmoid", ["c1"], ["g1"]),
        NODE("Mul", ["c1", "g1"], ["p1"]),
        NODE("Conv", ["p1", "w2"], ["p2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        NODE("Resize", ["p2", "", "scales"], ["u"], mode="nearest"),
        NODE("Concat", ["p1", "u"], ["j"], axis=1),
        NODE("Conv", ["j", "w3"], ["boxes"]),
        NODE("Conv", ["j", "w4"], ["classes"]),
        NODE("Reshape", ["boxes", "flat4"], ["b"]),
        NODE("Reshape", ["classes", "flat3"], ["c"]),
        NODE("Sigmoid", ["c"], ["s"]),
        NODE("ReduceMax", ["s", "ax1"], ["best"], keepdims=0),
        NODE("ArgMax", ["s"], ["which"], axis=1, keepdims=0),
        NODE("TopK", ["best", "k"], ["top", "at"], axis=1),
        NODE("GatherElements", ["which", "at"], ["class"], axis=1),
        NODE("Unsqueeze", ["at", "ax1"], ["at1"]),
        NODE("Tile", ["at1", "four"], ["at4"]),
        NODE("GatherElements", ["b", "at4"], ["box"], axis=2),
    ]
    weights = {"w1": floats(4, 3, 3, 3), "b1": floats(4), "w2": floats(6, 4, 3, 3)}
    weights |= {"w3": floats(4, 10, 1, 1), "w4": floats(3, 10, 1, 1), "scales": np.float32([1, 1, 2, 2])}
    sizes = {"flat4": ints(0, 4, 64), "flat3": ints(0, 3, 64), "ax1": ints(1), "k": ints(5), "four": ints(1, 4, 1)}
    outputs = [value("box", ["N", 4, 5]), value("top", ["N", 5]), value("class", ["N", 5], TensorProto.INT64)]
    return model_of(nodes, [IMAGE], outputs, opset=18, **weights, **sizes)


def segmenter() -> onnx.ModelProto:
    """An encoder and a decoder: transposed convolution, linear resize, reflection, a skip by concat."""
    nodes = [
        NODE("Conv", ["x", "w1"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        NODE("LeakyRelu", ["c"], ["l"]),
        NODE("ConvTranspose", ["l", "w2"], ["up"], strides=[2, 2]),
        NODE("Pad", ["l", "pads"], ["wide"], mode="reflect"),
        NODE("AveragePool", ["wide"], ["mean"], kernel_shape=[3, 3]),
        NODE("Resize", ["mean", "", "scales"], ["r"], mode="linear"),
        NODE("Concat", ["up", "r"], ["j"], axis=1),
        NODE("Conv", ["j", "w3"], ["y"]),
    ]
    weights = {"w1": floats(4, 3, 3, 3), "w2": floats(4, 4, 2, 2), "w3": floats(2, 8, 1, 1)}
    weights |= {"scales": np.float32([1, 1, 2, 2])}
    return model_of(
        nodes, [IMAGE], [value("y", ["N", 2, 16, 16])], opset=18, pads=ints(0, 0, 1, 1, 0, 0, 1, 1), **weights
    )


def choices() -> onnx.ModelProto:
    """Where, comparisons, Min, Max, CumSum and Range beside a product: operators that keep float32, and that do not."""
    nodes = [
        NODE("Gemm", ["x", "w", "bias"], ["g"]),
        NODE("Greater", ["g", "zero"], ["positive"]),
        NODE("Mul", ["g", "small"], ["less"]),
        NODE("Where", ["positive", "g", "less"], ["chosen"]),
        NODE("Max", ["chosen", "low"], ["m"]),
        NODE("Min", ["m", "g"], ["n"]),
        NODE("CumSum", ["n", "axis"], ["sum"]),
        NODE("Range", ["zero", "six", "step"], ["ramp"]),
        NODE("Add", ["sum", "ramp"], ["shifted"]),
        NODE("PRelu", ["shifted", "slope"], ["y"]),
    ]
    weights = {
        "w": floats(8, 6),
        "bias": floats(6),
        "slope": floats(6),
        "low": np.float32(-1),
        "small": np.float32(0.1),
    }
    weights |= {"zero": np.float32(0), "six": np.float32(6), "step": np.float32(1)}
    return model_of(nodes, [value("x", ["N", 8])], [value("y", ["N", 6])], opset=18, axis=np.int32(1), **weights)


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "words and images": lambda: network(opset=18),
    "residual": residual,
    "mobile": mobile,
    "attention": attention,
    "gru": lambda: recurrent("GRU", 3),
    "lstm": lambda: recurrent("LSTM", 4),
    "detector": detector,
    "segmenter": segmenter,
    "choices": choices,
}
# What is quantised in each, and how many kernels of it the builder computes in INT8: it makes one of three products of
# the same tensor (query, key, value), and transposes convolutions in floats.
QUANTISED = {
    "words and images": (3, 3),
    "residual": (3, 3),
    "mobile": (5, 5),
    "attention": (7, 5),
    "gru": (1, 1),
    "lstm": (1, 1),
    "detector": (4, 4),
    "segmenter": (3, 2),
    "choices": (1, 1),
}


def rows_for(model: onnx.ModelProto, count: int) -> dict[str, Any]:
    """Inputs for a batch of `count`."""
    rows: dict[str, Any] = {}
    for item in model.graph.input:
        shape = [dim.dim_value or count for dim in item.type.tensor_type.shape.dim]
        integers = item.type.tensor_type.elem_type == TensorProto.INT64
        rows[item.name] = np.arange(count) % 5 if integers else floats(*shape)
    return rows
