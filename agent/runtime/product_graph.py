"""ONNX graphs of nothing but products of square matrices, for a device's best rate; and of one negation, for a CPU's
copies. Written field by field as onnx.proto has them: the agent has no onnx to make them with.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.runtime.arrays import Tensor

PRODUCTS = 4  # in a row: what stands before the first and behind the last weighs little
_FLOAT, _UINT8, _INT8, _INT32, _HALF = 1, 2, 3, 6, 10  # of TensorProto.DataType
_TYPES = {"float32": _FLOAT, "float16": _HALF, "int8": _INT8, "uint8": _UINT8}
_OPSET, _IR = 13, 7
_INT8_MOST = 127


def operations(side: int) -> int:
    """Of one inference of `float_products` or `qdq_products`: a multiplication and an addition count as two."""
    return PRODUCTS * 2 * side**3


def float_products(side: int, dtype: str) -> bytes:
    """y = x w w w w, all of that type; sizes of values stay as they are."""
    names = ["x", *(f"t{number}" for number in range(1, PRODUCTS)), "y"]
    nodes = [_node("MatMul", [left, "w"], [right]) for left, right in pairwise(names)]
    weights = (_noise(side) / np.sqrt(side)).astype(dtype)
    shape = (side, side)
    return _model(
        nodes, [_constant("w", weights)], _value("x", _TYPES[dtype], shape), _value("y", _TYPES[dtype], shape)
    )


def qdq_products(side: int) -> bytes:
    """The same in int8, as Q/DQ pairs say it: x and y are float32, and every product reads two quantised tensors."""
    weights = np.clip(np.rint(_noise(side) * _INT8_MOST / 4), -_INT8_MOST, _INT8_MOST).astype(np.int8)
    step = np.float32(4 / _INT8_MOST)
    constants = [
        _constant("w8", weights),
        _constant("ws", np.asarray(step / np.sqrt(side), np.float32)),
        _constant("xs", np.asarray(step, np.float32)),
        _constant("zero", np.asarray(0, np.int8)),
    ]
    nodes = [_node("DequantizeLinear", ["w8", "ws", "zero"], ["w"])]
    names = ["x", *(f"t{number}" for number in range(1, PRODUCTS)), "y"]
    for left, right in pairwise(names):
        nodes.append(_node("QuantizeLinear", [left, "xs", "zero"], [f"{left}_q"]))
        nodes.append(_node("DequantizeLinear", [f"{left}_q", "xs", "zero"], [f"{left}_d"]))
        nodes.append(_node("MatMul", [f"{left}_d", "w"], [right]))
    shape = (side, side)
    return _model(nodes, constants, _value("x", _FLOAT, shape), _value("y", _FLOAT, shape))


def integer_product(side: int) -> bytes:
    """y = x w of uint8 and int8 in int32: what ONNX Runtime makes of Q/DQ pairs on a CPU."""
    weights = np.clip(np.rint(_noise(side) * _INT8_MOST / 4), -_INT8_MOST, _INT8_MOST).astype(np.int8)
    shape = (side, side)
    node = _node("MatMulInteger", ["x", "w"], ["y"])
    return _model([node], [_constant("w", weights)], _value("x", _UINT8, shape), _value("y", _INT32, shape))


def one_product(side: int) -> bytes:
    """y = x w in float32."""
    weights = (_noise(side) / np.sqrt(side)).astype(np.float32)
    shape = (side, side)
    node = _node("MatMul", ["x", "w"], ["y"])
    return _model([node], [_constant("w", weights)], _value("x", _FLOAT, shape), _value("y", _FLOAT, shape))


def negation(rows: int, columns: int) -> bytes:
    """y = -x in float32: every byte is read once and written once."""
    shape = (rows, columns)
    return _model([_node("Neg", ["x"], ["y"])], [], _value("x", _FLOAT, shape), _value("y", _FLOAT, shape))


def values(side: int, dtype: str) -> Tensor:
    """An x for these graphs. Not zeros: a GPU multiplies those with less power, and faster."""
    noise = _noise(side)
    array: Tensor = np.abs(noise * 32).astype(dtype) if dtype == "uint8" else noise.astype(dtype)
    return array


def _noise(side: int) -> NDArray[np.float32]:
    return np.random.default_rng(side).standard_normal((side, side), np.float32)


def _model(nodes: Sequence[bytes], constants: Sequence[bytes], given: bytes, made: bytes) -> bytes:
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"products")
    graph += b"".join(_field(5, constant) for constant in constants) + _field(11, given) + _field(12, made)
    return _number(1, _IR) + _field(7, graph) + _field(8, _number(2, _OPSET))


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    read = b"".join(_field(1, name.encode()) for name in inputs)
    return read + b"".join(_field(2, name.encode()) for name in outputs) + _field(4, kind.encode())


def _constant(name: str, array: Tensor) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    kind = _TYPES[str(array.dtype)]
    return sizes + _number(2, kind) + _field(8, name.encode()) + _field(9, array.tobytes())


def _value(name: str, kind: int, shape: Sequence[int]) -> bytes:
    sizes = b"".join(_field(1, _number(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
