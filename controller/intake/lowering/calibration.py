"""Calibration data: an .npz with one array per input, cut into the batches that INT8 ranges are learnt from.

It is asked for by name and never taken from the evaluation set: ranges that saw the test flatter the accuracy.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.intake.graph.datasets import LABELS
from controller.intake.graph.shapes import Signature
from controller.intake.graph.tensors import Array, read_npz
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps

_AT: Steps = ("model", "data", "calibration")
_ROWS_AT_ONCE = 8


@dataclass(frozen=True)
class Calibration:
    """Rows of real samples. `axes` says along which dimension an input's rows lie; inputs without one are constant.

    `stacked`: the model has no batch dimension, and each row is one whole input.
    """

    arrays: Mapping[str, Array]
    axes: Mapping[str, int]
    rows: int
    rows_at_once: int
    stacked: bool = False

    def batches(self) -> Iterator[dict[str, Array]]:
        """The model's inputs, until the rows are used up; what fills no batch of a fixed size is left out."""
        whole = self.rows // self.rows_at_once or 1
        for begin in range(0, whole * self.rows_at_once, self.rows_at_once):
            yield self._slice(begin, begin + self.rows_at_once)

    def first(self, batch: int) -> dict[str, Array]:
        """The first rows of the inputs that have any; nothing where there are not enough."""
        if self.rows < batch or self.stacked:
            return {}
        found = self._slice(0, batch)
        return {name: found[name] for name in self.axes}

    def samples(self) -> dict[str, Array]:
        """Every input with the samples along its first axis: what a builder that calibrates itself is handed.

        One sample is the input less its batch dimension; the whole input where it has none, and then, where other
        inputs do have one, the same in every sample.
        """
        if self.stacked:
            return dict(self.arrays)
        return {
            name: np.moveaxis(array, self.axes[name], 0)
            if name in self.axes
            else np.broadcast_to(array, (self.rows, *array.shape))
            for name, array in self.arrays.items()
        }

    def digest(self) -> str:
        found = hashlib.sha256(f"{self.rows_at_once}\n".encode())
        for name, array in sorted(self.arrays.items()):
            found.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _slice(self, begin: int, end: int) -> dict[str, Array]:
        if self.stacked:
            return {name: array[begin] for name, array in self.arrays.items()}
        return {
            name: array.take(range(begin, min(end, self.rows)), axis=self.axes[name]) if name in self.axes else array
            for name, array in self.arrays.items()
        }


def load(path: Path, signature: Signature, *, constant: Callable[[Input], Array]) -> Calibration:
    """Reads the archive; an input without a batch dimension may be left out of it. Raises ModelError."""
    arrays = read_npz(path, steps=_AT)
    axes = {item.name: axis for item in signature.inputs if (axis := _axis(item, signature)) is not None}
    stacked = not axes
    inputs = {item.name: item for item in signature.inputs}
    _check_names(path.name, arrays, inputs, needed=axes or inputs)
    found: dict[str, Array] = {}
    for name, item in inputs.items():
        found[name] = arrays[name] if name in arrays else constant(item)
        _check(path.name, item, found[name], 0 if stacked else axes.get(name), stacked=stacked)
    rows = _rows(
        path.name, {name: array.shape[axes.get(name, 0)] for name, array in found.items() if _rowed(name, axes)}
    )
    at_once = 1 if stacked else signature.fixed_batch or min(_ROWS_AT_ONCE, rows)
    if rows < at_once:
        message = f"{path.name} has {rows} rows, and the model takes {at_once} at once"
        hint = "add rows, or export the model with an open batch dimension"
        raise ModelError(message, steps=_AT, expected=f"at least {at_once} rows", hint=hint)
    return Calibration(found, axes, rows, at_once, stacked)


def _check_names(file: str, arrays: Collection[str], inputs: Collection[str], *, needed: Collection[str]) -> None:
    for name in arrays:
        if name not in inputs and name != LABELS:
            hint = nearest(name, inputs) or f"leave {name!r} out of {file}"
            raise ModelError(
                f"{file}: {name!r} is not an input of the model", steps=_AT, expected=", ".join(inputs), hint=hint
            )
    for name in needed:
        if name not in arrays:
            expected = f"arrays {', '.join(needed)}; it has {', '.join(arrays) or 'none'}"
            hint = f"numpy.savez({file!r}, {', '.join(f'{item}=...' for item in needed)})"
            raise ModelError(f"{file} has no array {name!r}", steps=_AT, expected=expected, hint=hint)


def _axis(item: Input, signature: Signature) -> int | None:
    if signature.dynamic:
        return item.dims.index("batch") if "batch" in item.dims else None
    return 0 if signature.fixed_batch is not None and item.dims else None


def _rowed(name: str, axes: Mapping[str, int]) -> bool:
    return name in axes or not axes


def _check(file: str, item: Input, array: Array, axis: int | None, *, stacked: bool) -> None:
    wanted: list[int | str] = list(item.shape(1))
    if stacked:
        wanted.insert(0, "rows")
    elif axis is not None:
        wanted[axis] = "rows"
    expected = f"{item.dtype} [{', '.join(map(str, wanted))}]"
    fits = len(wanted) == array.ndim and all(
        size == "rows" or size == given for size, given in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        along = f"rows along dimension {wanted.index('rows')}" if "rows" in wanted else "as job.yaml's inputs say"
        hint = f"save {item.name} in the shape that the model takes, {along}"
        raise ModelError(f"{file}: {item.name} has shape {list(array.shape)}", steps=_AT, expected=expected, hint=hint)
    if array.dtype != np.dtype(item.dtype):
        hint = f"{item.name}.astype(numpy.{item.dtype})"
        raise ModelError(f"{file}: {item.name} is {array.dtype}", steps=_AT, expected=expected, hint=hint)


def _rows(file: str, counts: Mapping[str, int]) -> int:
    if len(set(counts.values())) != 1 or 0 in counts.values():
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ModelError(
            f"{file}: rows of {found}",
            steps=_AT,
            expected="the same number of rows, 1 or more",
            hint="save the same samples for every input",
        )
    return next(iter(counts.values()))
