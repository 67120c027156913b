"""Calibration data: an .npz with one array per input, cut into the batches that INT8 ranges are learnt from.

It is asked for by name and never taken from the evaluation set: ranges that saw the test flatter the accuracy.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from controller.intake.graph.datasets import LABELS
from controller.intake.graph.shapes import Signature
from controller.intake.graph.tensors import Array, read_npz
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps
from controller.intake.lowering import calibration_faults as faults
from jetfleet.plural import counted

_AT: Steps = ("model", "data", "calibration")
_ROWS_AT_ONCE = 8
_HELD_SHARE = 5  # a fifth of the rows is held out,
MOST_HELD = 64  # and no more than these


@dataclass(frozen=True)
class Calibration:
    """Rows of real samples. `axes` says along which dimension an input's rows lie; inputs without one are constant.

    `stacked`: the model has no batch dimension, and each row is one whole input. `held` rows are not learnt from: what
    was is held against them.
    """

    arrays: Mapping[str, Array]
    axes: Mapping[str, int]
    rows: int
    rows_at_once: int
    stacked: bool = False
    held: tuple[int, ...] = ()
    weaknesses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def learnt(self) -> list[int]:
        return [row for row in range(self.rows) if row not in self.held]

    def batches(self) -> Iterator[dict[str, Array]]:
        """The model's inputs, until the rows are used up; the last batch is filled up with the first rows."""
        rows = self.learnt
        for begin in range(0, len(rows), self.rows_at_once):
            yield self._take([rows[index % len(rows)] for index in range(begin, begin + self.rows_at_once)])

    def trials(self, batch: int) -> list[dict[str, Array]]:
        """The rows that a graph is held against, in batches: those held out, else all; the last one filled up."""
        rows = list(self.held) or self.learnt
        size = 1 if self.stacked else batch
        return [
            self._take([rows[index % len(rows)] for index in range(begin, begin + size)])
            for begin in range(0, len(rows), size)
        ]

    def samples(self) -> dict[str, Array]:
        """Every input with the samples along its first axis: what a builder that calibrates itself is handed.

        One sample is the input less its batch dimension; the whole input where it has none, and then, where other
        inputs do have one, the same in every sample.
        """
        rows = self.learnt
        if self.stacked:
            return {name: array[rows] for name, array in self.arrays.items()}
        return {
            name: np.moveaxis(array, self.axes[name], 0)[rows]
            if name in self.axes
            else np.broadcast_to(array, (len(rows), *array.shape))
            for name, array in self.arrays.items()
        }

    def digest(self) -> str:
        found = hashlib.sha256(f"{self.rows_at_once} {self.held}\n".encode())
        for name, array in sorted(self.arrays.items()):
            found.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _take(self, rows: Sequence[int]) -> dict[str, Array]:
        if self.stacked:
            return {name: array[rows[0]] for name, array in self.arrays.items()}
        return {
            name: array.take(rows, axis=self.axes[name]) if name in self.axes else array
            for name, array in self.arrays.items()
        }


def load(
    path: Path,
    signature: Signature,
    *,
    constant: Callable[[Input], Array],
    batches: Collection[int] = (),
    others: Mapping[str, Array] | None = None,
    evaluation: Mapping[str, Array] | None = None,
) -> Calibration:
    """Reads the archive; an input without a batch dimension may be left out of it. Raises ModelError.

    `batches` are the sizes that the job asks for: the model is run with one of them. `others` are inputs that the model
    is said to see. Rows are held out where int8 has no `evaluation` rows to be held against.
    """
    axes = {item.name: axis for item in signature.inputs if (axis := _axis(item, signature)) is not None}
    stacked = not axes
    found = _arrays(path, signature, axes, constant)
    rows = _rows(
        path.name, {name: array.shape[axes.get(name, 0)] for name, array in found.items() if _rowed(name, axes)}
    )
    fixed = 1 if stacked else signature.fixed_batch
    _refuse_too_few(path.name, rows, wanted=fixed or 1)
    made = Calibration(found, axes, rows, fixed or _rows_at_once(batches, rows), stacked)
    largest_batch = 1 if stacked else max(fixed or 1, *batches, 1)
    if evaluation is None:
        return _held_out(_inspected(made, path.name, others or {}), largest_batch)
    found_before = faults.seen_before(_rowed_samples(made), evaluation)
    made = _inspected(made, path.name, evaluation)
    return replace(made, weaknesses=(*made.weaknesses, *filter(None, [found_before])))


def _inspected(made: Calibration, file: str, others: Mapping[str, Array]) -> Calibration:
    notes = tuple(faults.pixels(_rowed_samples(made)))
    return replace(made, weaknesses=tuple(_inspect(made, file, others)), notes=notes)


def _held_out(made: Calibration, largest_batch: int) -> Calibration:
    """A row that the file holds twice is held out twice: its copy would be learnt from."""
    rows, wanted = faults.contents(_rowed_samples(made)), _held(made.rows, largest_batch)
    held: list[int] = []
    for row in wanted:
        copies = [index for index, content in enumerate(rows) if content == rows[row]]
        if row not in held and len(held) + len(copies) <= len(wanted):
            held += copies
    if held:
        return replace(made, held=tuple(sorted(held)))
    return replace(made, weaknesses=(*made.weaknesses, "int8 is held against the rows that calibrated it"))


def _arrays(
    path: Path, signature: Signature, axes: Mapping[str, int], constant: Callable[[Input], Array]
) -> dict[str, Array]:
    arrays = read_npz(path, steps=_AT)
    inputs = {item.name: item for item in signature.inputs}
    _check_names(path.name, arrays, inputs, needed=axes or inputs)
    found = {name: arrays[name] if name in arrays else constant(item) for name, item in inputs.items()}
    for name, array in found.items():
        _check(path.name, inputs[name], array, axes.get(name) if axes else 0, stacked=not axes)
    return found


def _refuse_too_few(file: str, rows: int, *, wanted: int) -> None:
    if rows < wanted:
        message = f"{file} has {counted(rows, 'row')}, and the model takes {wanted} at once"
        hint = "add rows, or export the model with an open batch dimension"
        raise ModelError(message, steps=_AT, expected=f"at least {counted(wanted, 'row')}", hint=hint)


def _inspect(made: Calibration, file: str, others: Mapping[str, Array]) -> list[str]:
    """What speaks against the rows. Raises ModelError where nothing can be learnt from them."""
    rows = _rowed_samples(made)
    faults.refuse_faults(file, rows, {name: array for name, array in made.arrays.items() if name not in rows})
    return [*faults.weaknesses(rows), *faults.unlike(rows, others)]


def _rowed_samples(made: Calibration) -> dict[str, Array]:
    return {name: array for name, array in made.samples().items() if _rowed(name, made.axes)}


def _rows_at_once(batches: Collection[int], rows: int) -> int:
    """A size that the job asks for, because some graphs take no other: the largest that is not large."""
    if not batches:
        return min(_ROWS_AT_ONCE, rows)
    small = [batch for batch in batches if batch <= _ROWS_AT_ONCE]
    return max(small) if small else min(batches)


def _held(rows: int, largest_batch: int) -> tuple[int, ...]:
    """Rows to hold out: a fifth, or one batch where there are many; what is left fills a batch of every size."""
    count = max(rows // _HELD_SHARE, min(largest_batch, rows // 3))
    count = min(count, MOST_HELD, rows - largest_batch)
    if count < 1:
        return ()
    return tuple(sorted(int(row) for row in np.random.default_rng(0).permutation(rows)[:count]))


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
