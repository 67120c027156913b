"""Arrays of one axis in NumPy's files, read without NumPy.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from jetfleet.errors import Corrupt

Numbers: TypeAlias = Sequence[float]

_MAGIC = b"\x93NUMPY"
_FORMATS = {"<f8": "d", "<f4": "f", "<i4": "i", "<i8": "q", "|u1": "B"}


def read_npy(content: bytes) -> Numbers:
    """Raises Corrupt for what is no array of one axis."""
    if not content.startswith(_MAGIC):
        raise Corrupt("not a .npy file")
    try:
        return _read_npy(content)
    except (IndexError, KeyError, SyntaxError, TypeError, ValueError, struct.error) as error:
        raise Corrupt(f"a .npy file that cannot be read: {error}") from error


def _read_npy(content: bytes) -> Numbers:
    size = struct.unpack("<H" if content[6] == 1 else "<I", content[8 : 10 if content[6] == 1 else 12])[0]
    start = (10 if content[6] == 1 else 12) + size
    header = ast.literal_eval(content[start - size : start].decode("latin-1"))
    if header["descr"] not in _FORMATS or len(header["shape"]) != 1:
        raise Corrupt(
            f"an array of {header['descr']}, {header['shape']}", expected=f"one axis of {', '.join(_FORMATS)}"
        )
    numbers: Numbers = struct.unpack(f"<{header['shape'][0]}{_FORMATS[header['descr']]}", content[start:])
    return numbers


def read_npz(content: bytes) -> Iterator[tuple[str, Numbers]]:
    """Names and arrays. Raises Corrupt."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.removesuffix(".npy"), read_npy(archive.read(name))
    except zipfile.BadZipFile as error:
        raise Corrupt(f"not an .npz file of arrays: {error}") from error
