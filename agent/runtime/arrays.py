"""Tensors in files: one `.npy` each, read without pickle and only as large as its header was allowed to promise."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from jetfleet.errors import BadInput

Tensor: TypeAlias = NDArray[Any]

MAX_BYTES = 4 << 30
_HEADER_BYTES = 10_000  # numpy's own bound against hostile headers


def read_npy(path: Path, *, name: str = "", max_bytes: int = MAX_BYTES, mapped: bool = False) -> Tensor:
    """The array of a file. Raises BadInput, before any element is read, if it is no plain array of bounded size.

    `mapped`: read from the file piece by piece as it is used, and read-only.
    """
    where = name or path.name
    try:
        with path.open("rb") as file:
            shape, dtype = _header(file)
            offset = file.tell()
    except ValueError as error:
        raise BadInput(f"not a readable .npy file: {error}", where=where) from error
    if dtype.hasobject or dtype.names:
        raise BadInput(f"an array of {dtype} is not a tensor", where=where)
    wanted = dtype.itemsize
    for dimension in shape:
        wanted *= dimension
    present = path.stat().st_size - offset
    if wanted > max_bytes or wanted != present:
        raise BadInput(f"the header promises {wanted} bytes, {present} follow, {max_bytes} are allowed", where=where)
    loaded: Tensor = np.load(path, allow_pickle=False, mmap_mode="r" if mapped and present else None)
    return loaded


def write_npy(path: Path, array: Tensor) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_npz(file: Path | IO[bytes], arrays: Mapping[str, Tensor]) -> None:
    """What numpy's savez writes, for names that may be anything."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy_format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = npy_format.read_array_header_1_0(file, max_header_size=_HEADER_BYTES)
    elif version == (2, 0):
        shape, _, dtype = npy_format.read_array_header_2_0(file, max_header_size=_HEADER_BYTES)
    else:
        raise ValueError(f"format version {version} is only for structured arrays")
    if any(dimension < 0 for dimension in shape):
        raise ValueError(f"negative dimension in {shape}")
    return shape, dtype
