"""Bodies of requests and answers: JSON or an .npz to arrays of just what the model takes, and outputs back.

What comes is anybody's: nothing of it is unpacked to more than the model's inputs are, and no value is made another
one. A number that the input's type cannot hold is refused, and so are null, text and fractions of integers.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from agent.runtime.arrays import Tensor, write_npz
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec

JSON, NPZ = "application/json", "application/x-npz"
_FORM = '{"inputs": {"NAME": [[...]]}}'
_JSON_BYTES = 64  # of a number with its comma, its brackets and what stands before it on its line
_AROUND = 64 << 10  # names, headers of arrays, spaces


def most_bytes(inputs: Mapping[str, TensorSpec]) -> int:
    """What a body of these inputs takes at most, in either form."""
    return _AROUND + sum(
        max(_JSON_BYTES, np.dtype(spec.dtype).itemsize) * math.prod(spec.shape) for spec in inputs.values()
    )


def read_inputs(body: bytes, kind: str, inputs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """Raises BadInput for a body that cannot be read."""
    if kind == NPZ:
        return _read_npz(body, inputs)
    if kind != JSON:
        raise BadInput(f"{kind!r} is not understood", where="Content-Type", expected=f"{JSON} or {NPZ}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body cannot be read: {_said(error)}", expected=_FORM) from error
    if not isinstance(document, dict):
        raise BadInput("the body is not an object", expected=_FORM)
    found = document.get("inputs")
    if not isinstance(found, dict):
        raise BadInput("its inputs are not an object" if "inputs" in document else "it has no inputs", expected=_FORM)
    return {name: _array(name, value, inputs.get(name)) for name, value in found.items()}


def _said(error: Exception) -> str:
    words = "lists in lists without end" if isinstance(error, RecursionError) else str(error)
    return words[:200]


def _array(name: str, value: Any, spec: TensorSpec | None) -> Tensor:
    """Of an input that is not the model's whatever it may be: its name is what will be told."""
    if spec is None:
        return np.zeros(0)
    try:
        found = np.asarray(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadInput(f"it is not an array: {_said(error)}", where=name, expected=_FORM) from error
    if found.dtype.kind not in "bif" and found.dtype != np.uint64 and found.size:
        raise BadInput("it holds what is not a number", where=name, expected=f"numbers of {spec.dtype}")
    return as_type(name, found, np.dtype(spec.dtype))


def as_type(name: str, array: Tensor, dtype: "np.dtype[Any]") -> Tensor:
    """The same numbers. Raises BadInput where the type cannot hold them: a wrapped or a cut one would be another."""
    with np.errstate(all="ignore"):
        made: Tensor = np.ascontiguousarray(array, dtype=dtype)
        if dtype.kind == "f":
            lost = np.isfinite(array) & ~np.isfinite(made) if array.dtype.kind == "f" else ~np.isfinite(made)
        else:
            lost = made != array
    if np.any(lost):
        first = array[lost].ravel()[0] if array.ndim else array[()]
        raise BadInput(f"{first} cannot be held", where=name, expected=f"numbers of {dtype}")
    return made.reshape(array.shape)


def _read_npz(body: bytes, inputs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """Of arrays that are not the model's the names alone: what they would unpack to nobody knows."""
    found: dict[str, Tensor] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                spec = inputs.get(name)
                if spec is None:
                    found[name] = np.zeros(0)
                    continue
                most = _AROUND + 8 * math.prod(spec.shape)
                if entry.file_size > most:
                    raise BadInput(f"it unpacks to {entry.file_size} bytes", where=name, expected=f"at most {most}")
                with archive.open(entry) as file:
                    found[name] = np.load(io.BytesIO(file.read(most)), allow_pickle=False)
    except BadInput:
        raise
    except Exception as error:  # zipfile and numpy raise many kinds for bytes that somebody made up
        raise BadInput(f"the body is not an .npz of arrays: {_said(error)}") from error
    return found


def written(outputs: Mapping[str, Tensor], kind: str) -> bytes:
    """In JSON, what is not finite is null: JSON has no such number."""
    if kind == NPZ:
        buffer = io.BytesIO()
        write_npz(buffer, outputs)
        return buffer.getvalue()
    return json.dumps({"outputs": {name: _plain(array) for name, array in outputs.items()}}, allow_nan=False).encode()


def _plain(array: Tensor) -> Any:
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return array.tolist()
    held = array.astype(object)
    held[~np.isfinite(array)] = None
    return held.tolist()
