"""The one thing that is read of an ONNX file without a library: its opset. Weights are stepped over, not read."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jetfleet.errors import BadInput

_OPSET_IMPORT = 8  # of ModelProto; in it, 1 is the domain and 2 the version
_DOMAIN, _VERSION = 1, 2
_OWN = (b"", b"ai.onnx")
_SMALL = 1 << 16


def read_opset(path: Path) -> int | None:
    """The version of ONNX's own operators; None if it names none. Raises BadInput for what is not an ONNX file."""
    size = path.stat().st_size
    if not size:
        raise BadInput("the model cannot be read: the file is empty", where=path.name)
    try:
        with path.open("rb") as file:
            for number, value in _fields(file, size):
                if number == _OPSET_IMPORT and isinstance(value, bytes):
                    domain, version = _operator_set(value)
                    if domain in _OWN:
                        return version
    except ValueError as error:
        raise BadInput(f"the model cannot be read: it is not a valid ONNX file ({error})", where=path.name) from error
    return None


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, "int | bytes | None"]]:
    """Number and value of each field of a message; None for one that is too long to be of interest."""
    while file.tell() < size:
        tag = _varint(file)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError(f"field 0 at byte {file.tell()}")
        yield number, _value(file, kind, size)


def _value(file: BinaryIO, kind: int, size: int) -> "int | bytes | None":
    if kind == 0:
        return _varint(file)
    length = {1: 8, 5: 4}.get(kind)
    if kind == 2:
        length = _varint(file)
    if length is None:
        raise ValueError(f"wire type {kind} at byte {file.tell()}")
    if file.tell() + length > size:
        raise ValueError(f"it ends in the middle, at byte {size}")
    if length > _SMALL:
        file.seek(length, 1)
        return None
    return file.read(length)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends in the middle")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number has more than ten bytes")


def _operator_set(message: bytes) -> tuple[bytes, int | None]:
    domain, version = b"", None
    for number, value in _fields(io.BytesIO(message), len(message)):
        if number == _DOMAIN and isinstance(value, bytes):
            domain = value
        elif number == _VERSION and isinstance(value, int):
            version = value
    return domain, version
