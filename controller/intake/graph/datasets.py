"""Evaluation data: an .npz with one array per input and `labels`, held against the model's signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controller.intake.graph.shapes import Signature
from controller.intake.graph.tensors import Array, read_npz
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps

LABELS = "labels"
_AT: Steps = ("model", "data", "evaluation")


@dataclass(frozen=True)
class Evaluation:
    """Rows of real samples; `inputs` holds every input that has a batch dimension."""

    inputs: Mapping[str, Array]
    labels: Array

    def first(self, batch: int) -> dict[str, Array]:
        return self.rows(0, batch)

    def rows(self, begin: int, end: int) -> dict[str, Array]:
        return {name: array[begin:end] for name, array in self.inputs.items()}


def load(path: Path, signature: Signature, *, largest_batch: int, classes: bool = True) -> Evaluation:
    """`classes`: the labels are numbers of classes, one per row; else whatever the metrics take, row by row.

    Raises ModelError, which names the array and what it should be.
    """
    arrays = read_npz(path, steps=_AT)
    rowed = {item.name: item for item in signature.inputs if _has_rows(item, signature)}
    _check_names(arrays, rowed, path.name)
    labels = _classes(arrays[LABELS], path.name) if classes else _numbers(arrays[LABELS], path.name)
    for name, item in rowed.items():
        _check_rows(name, arrays[name], item, len(labels), path.name)
    if len(labels) < largest_batch:
        message = f"{path.name} has {len(labels)} rows, and a variant has batch {largest_batch}"
        raise ModelError(message, steps=_AT, expected=f"at least {largest_batch} rows")
    return Evaluation({name: arrays[name] for name in rowed}, labels)


def _classes(labels: Array, file: str) -> Array:
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        found = f"{labels.dtype} {list(labels.shape)}"
        raise ModelError(f"{file}: labels is {found}", steps=_AT, expected="one whole number per row: int64 [rows]")
    if labels.size and labels.min() < 0:
        message = f"{file}: labels reach down to {labels.min()}"
        raise ModelError(message, steps=_AT, expected="the number of a class in every row: 0 or more")
    return labels.astype(np.int64)


def _numbers(labels: Array, file: str) -> Array:
    if labels.dtype.kind not in "iuf" or labels.ndim == 0:
        found = f"{labels.dtype} {list(labels.shape)}"
        raise ModelError(f"{file}: labels is {found}", steps=_AT, expected="numbers of shape [rows, ...]")
    return labels


def _has_rows(item: Input, signature: Signature) -> bool:
    if signature.dynamic:
        if "batch" in item.dims and item.dims[0] != "batch":
            message = f"the batch dimension of input {item.name!r} is not its first"
            raise ModelError(message, steps=_AT, expected="no evaluation data for such a model, in this version")
        return item.dims[:1] == ("batch",)
    if signature.fixed_batch is None:
        raise ModelError("no input has a batch dimension, so rows mean nothing", steps=_AT, expected="no evaluation")
    return bool(item.dims)


def _check_names(arrays: Mapping[str, Array], rowed: Mapping[str, Input], file: str) -> None:
    wanted = [*rowed, LABELS]
    for name in wanted:
        if name not in arrays:
            expected = f"arrays {', '.join(wanted)}; it has {', '.join(arrays) or 'none'}"
            hint = nearest(name, arrays).replace("did you mean", "rename") if arrays else ""
            raise ModelError(f"{file} has no array {name!r}", steps=_AT, expected=expected, hint=hint)
    for name in arrays:
        if name not in wanted:
            raise ModelError(f"{file}: {name!r} is not an input of the model", steps=_AT, expected=", ".join(wanted))


def _check_rows(name: str, array: Array, item: Input, rows: int, file: str) -> None:
    shape = item.shape(1)[1:]
    expected = f"{item.dtype} [{', '.join(map(str, ['rows', *shape]))}]"
    if array.shape[1:] != shape or array.ndim != len(item.dims):
        raise ModelError(f"{file}: {name} has shape {list(array.shape)}", steps=_AT, expected=expected)
    if array.dtype != np.dtype(item.dtype):
        hint = f"{name}.astype(numpy.{item.dtype})"
        raise ModelError(f"{file}: {name} is {array.dtype}", steps=_AT, expected=expected, hint=hint)
    if len(array) != rows:
        message = f"{file}: {name} has {len(array)} rows and labels has {rows}"
        raise ModelError(message, steps=_AT, expected="as many rows as labels")
