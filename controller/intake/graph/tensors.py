"""Arrays: synthetic inputs that a seed reproduces, and .npy and .npz files whose size is known before they are read."""

import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy

from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import Steps
from jetfleet.stand_ins import draw, words_for

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
MAX_ARRAY_BYTES = 4 << 30
_MAX_HEADER_BYTES = 10_000


def make(item: Input, batch: int, *, seed: int, folder: Path) -> Array:
    """One input for one batch size, as job.yaml asked; the same for the same seed, whatever the other inputs are."""
    shape, dtype = item.shape(batch), np.dtype(item.dtype)
    values = item.values or item.stand_in or words_for(item.name, item.dtype, rank=len(item.dims))
    _refuse_too_large(shape, dtype, ("model", "inputs", item.name))
    if values.endswith((".npy", ".npz")):
        return _from_file(item, batch, folder / values)
    generator = np.random.default_rng([seed, zlib.crc32(item.name.encode()), batch])
    numbers = [float(word) for word in re.findall(r"[-+0-9.eE]+", values.partition("[")[2])]
    if values == "normal" and dtype.kind != "f":
        message = f"input {item.name!r} is {item.dtype}, and normal values are not whole numbers"
        raise ModelError(message, steps=("model", "inputs", item.name, "values"), expected="uniform[LOW,HIGH]")
    for number in numbers:
        _refuse_inexact(item, number)
    return draw(values, shape, item.dtype, generator=generator)


def _refuse_inexact(item: Input, number: float) -> None:
    """Raises ModelError unless the input's type can hold the number."""
    dtype = np.dtype(item.dtype)
    if dtype.kind == "f":
        return
    low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    if number != int(number) or not low <= number <= high:
        steps: Steps = ("model", "inputs", item.name, "values")
        expected = f"whole numbers from {low} to {high}"
        raise ModelError(
            f"input {item.name!r} is {item.dtype} and cannot be {number:g}", steps=steps, expected=expected
        )


def _refuse_too_large(shape: Sequence[int], dtype: "np.dtype[Any]", steps: Steps) -> None:
    if int(np.prod([float(size) for size in shape])) * dtype.itemsize > MAX_ARRAY_BYTES:
        expected = f"at most {MAX_ARRAY_BYTES >> 30} GiB for one tensor"
        raise ModelError(f"a tensor of shape {list(shape)} is too large", steps=steps, expected=expected)


def _from_file(item: Input, batch: int, path: Path) -> Array:
    steps: Steps = ("model", "inputs", item.name, "values")
    arrays = {item.name: read_npy(path, steps=steps)} if path.suffix == ".npy" else read_npz(path, steps=steps)
    if item.name not in arrays:
        raise ModelError(f"{path.name} has no array {item.name!r}", steps=steps, expected=f"one of {sorted(arrays)}")
    array, shape = arrays[item.name], item.shape(batch)
    if item.dims[:1] == ("batch",) and array.ndim == len(shape) and len(array) >= batch:
        array = array[:batch]
    if array.shape != shape or array.dtype != np.dtype(item.dtype):
        found = f"{array.dtype} {list(array.shape)}"
        expected = f"{item.dtype} {list(shape)}, or more rows"
        raise ModelError(f"{path.name} holds {found} for input {item.name!r}", steps=steps, expected=expected)
    return array


def read_npy(path: Path, *, steps: Steps) -> Array:
    """Raises ModelError if the file is missing, is not an array, needs pickle, or is too large."""
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, path.name, steps)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", steps=steps, expected="a .npy file") from error


def read_npz(path: Path, *, steps: Steps) -> dict[str, Array]:
    """Every array of an archive. Raises ModelError."""
    found: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_ARRAY_BYTES:
                raise ModelError(f"{path.name} is too large", steps=steps, expected=f"{MAX_ARRAY_BYTES >> 30} GiB")
            for member in archive.infolist():
                with archive.open(member) as file:
                    key = member.filename.removesuffix(".npy")
                    found[key] = _read(file, member.file_size, f"{path.name}: {key}", steps)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", steps=steps, expected="a .npz file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelError(f"{path.name} is not a .npz file ({error})", steps=steps, expected="numpy.savez") from error
    return found


def _refuse_objects(dtype: "np.dtype[Any]", name: str, steps: Steps) -> None:
    if dtype.hasobject or dtype.kind not in "fiub":
        held = {"S": "texts", "U": "texts", "O": "objects"}.get(dtype.kind, str(dtype))
        raise ModelError(f"{name} holds {held}", steps=steps, expected="numbers or booleans, no objects")


def _read(file: IO[bytes], size_bytes: int, name: str, steps: Steps) -> Array:
    """An array whose header was held against the bytes that are there before any of them was read."""
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(file, max_header_size=_MAX_HEADER_BYTES)
        _refuse_objects(dtype, name, steps)
        _refuse_too_large(shape, dtype, steps)
        expected_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if expected_bytes > size_bytes:
            raise ModelError(f"{name} is cut short", steps=steps, expected=f"{expected_bytes} bytes of data")
        flat = np.frombuffer(file.read(expected_bytes), dtype=dtype)
        array = flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:
        raise ModelError(
            f"{name} is not an array ({error})", steps=steps, expected="an array saved by numpy"
        ) from error
    return array.astype(dtype.newbyteorder("="))


def write_npy(path: Path, array: Array) -> None:
    np.save(path, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
