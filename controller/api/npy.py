"""One-dimensional .npy files of samples, read without numpy.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import struct

from jetfleet.errors import Corrupt

_MAGIC = b"\x93NUMPY"
_FORMATS = {"<f8": "d", "<f4": "f"}


def read_values(content: bytes) -> tuple[float, ...]:
    """Raises Corrupt for anything else."""
    if not content.startswith(_MAGIC):
        raise Corrupt("samples are not a .npy file")
    start = 10 if content[6] == 1 else 12
    size = struct.unpack("<H" if content[6] == 1 else "<I", content[8:start])[0]
    try:
        header = ast.literal_eval(content[start : start + size].decode("latin-1"))
        descr, (count,) = header["descr"], header["shape"]
        return struct.unpack(f"<{count}{_FORMATS[descr]}", content[start + size :])
    except (ValueError, SyntaxError, KeyError, TypeError, struct.error) as error:
        raise Corrupt(f"samples cannot be read: {error}", expected="one axis of float32 or float64") from error
