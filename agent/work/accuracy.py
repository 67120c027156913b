"""How right an engine's answers to evaluation data are: top-1, top-5, mean absolute error, or a function of the user's.

Runs outside every timed window. Knows arrays and labels; where they come from is not its business.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.metrics import UNITS
from jetfleet.outputs.bounds import INTEGERS
from jetfleet.plural import counted
from jetfleet.v1.task_pb2 import TensorSpec

TOP1, TOP5, MEAN_ABS_ERROR = "accuracy", "accuracy_top5", "mean_abs_error"


class AccuracyMeter(Protocol):
    """Sees every batch once, and then tells one number."""

    def add(self, outputs: Mapping[str, Tensor], labels: Tensor, *, batch: int) -> None:
        """Outputs of a whole batch, of which the first rows have labels."""

    def value(self) -> float: ...


def evaluate(
    run: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
    samples: Mapping[str, Tensor],
    labels: Tensor,
    meters: Mapping[str, AccuracyMeter],
    *,
    specs: Sequence[TensorSpec],
    batch: int,
) -> dict[str, float]:
    """What each meter says of all rows. Raises BadInput if samples, labels and engine do not fit."""
    count = len(labels) if labels.ndim and labels.dtype.kind in "iuf" else 0
    if not count:
        raise BadInput(f"labels are {labels.dtype}{list(labels.shape)}", expected="numbers of shape (samples, ...)")
    for begin, inputs in _batches(samples, count, specs=specs, batch=batch):
        outputs = run(inputs)
        for meter in meters.values():
            meter.add(outputs, labels[begin : begin + batch], batch=batch)
    return {name: meter.value() for name, meter in meters.items()}


def meter_of(name: str, function: Callable[..., Any] | None, *, output: str) -> AccuracyMeter:
    """The meter of a metric. Raises BadInput for one that is not built in and brings no function."""
    if function is not None:
        return OwnMeter(name, function)
    if name == MEAN_ABS_ERROR:
        return MeanAbsError(output)
    if name in (TOP1, TOP5):
        return TopK(output, 1 if name == TOP1 else 5)
    raise BadInput(f"{name} is not built in", where="accuracy_metrics", expected=f"{TOP1}, {TOP5}, {MEAN_ABS_ERROR}")


class TopK:
    """Share of rows whose label is among the `most` highest scores of `output`, or of the only one."""

    def __init__(self, output: str, most: int) -> None:
        self._output, self._most = output, most
        self._correct = self._count = 0

    def add(self, outputs: Mapping[str, Tensor], labels: Tensor, *, batch: int) -> None:
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise BadInput(f"labels are {labels.dtype}{list(labels.shape)}", expected="integers of shape (samples,)")
        said = _classes(*_chosen(outputs, self._output), batch=batch, most=self._most)
        self._correct += int(np.sum(np.any(said[: len(labels)] == labels[:, None], axis=1)))
        self._count += len(labels)

    def value(self) -> float:
        return self._correct / self._count


class MeanAbsError:
    """Mean of |output - label| over every element of every row."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._sum, self._count = 0.0, 0

    def add(self, outputs: Mapping[str, Tensor], labels: Tensor, *, batch: int) -> None:
        name, found = _chosen(outputs, self._output)
        rows = found.reshape(batch, -1)[: len(labels)] if found.size % batch == 0 else found
        wanted = labels.reshape(len(labels), -1)
        if rows.shape != wanted.shape:
            raise BadInput(
                f"mean_abs_error: output {name!r} is {list(found.shape)} and labels {list(labels.shape)}",
                expected="labels of the output's shape",
            )
        self._sum += float(np.abs(rows.astype(np.float64) - wanted).sum())
        self._count += wanted.size

    def value(self) -> float:
        return self._sum / max(self._count, 1)


class OwnMeter:
    """A function of the user's, called once with a dict of all rows' outputs and with all labels."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name, self._function = name, function
        self._most = 1.0 if UNITS.get(name) == "share" else float(np.finfo(np.float64).max)
        self._outputs: dict[str, list[Tensor]] = {}
        self._labels: list[Tensor] = []

    def add(self, outputs: Mapping[str, Tensor], labels: Tensor, *, batch: int) -> None:
        for name, array in outputs.items():
            has_rows = array.ndim > 0 and len(array) == batch
            self._outputs.setdefault(name, []).append(array[: len(labels)] if has_rows else array[None])
        self._labels.append(labels)

    def value(self) -> float:
        outputs = {name: _joined(parts) for name, parts in self._outputs.items()}
        found = self._function(outputs, np.concatenate(self._labels))
        number = float(found) if isinstance(found, int | float | np.number) else float("nan")
        if not 0 <= number <= self._most:
            expected = "a number from 0 to 1" if self._most == 1 else "a finite number, 0 or more"
            raise BadInput(f"{self._name}: the function answered {found!r}", expected=expected)
        return number


def _joined(parts: Sequence[Tensor]) -> Any:
    """One array of all rows; where shapes depend on the data, a list of what each batch had."""
    shapes = {part.shape[1:] for part in parts}
    return np.concatenate(parts) if len(shapes) == 1 else list(parts)


def _batches(
    samples: Mapping[str, Tensor], count: int, *, specs: Sequence[TensorSpec], batch: int
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """The samples in the engine's batches; the last is filled up with copies of its last sample."""
    for spec in specs:
        array = samples.get(spec.name)
        if array is None or not _fits(array, count, spec, batch):
            given = "absent" if array is None else f"{array.dtype}{list(array.shape)}"
            raise BadInput(
                f"evaluation input {spec.name!r} is {given}",
                expected=f"{counted(count, 'sample')} for an engine that takes {spec.dtype}{list(spec.shape)}",
            )
    for begin in range(0, count, batch):
        taken = np.minimum(np.arange(begin, begin + batch), count - 1)
        yield begin, {spec.name: samples[spec.name][taken].reshape(tuple(spec.shape)) for spec in specs}


def _fits(array: Tensor, count: int, spec: TensorSpec, batch: int) -> bool:
    if array.ndim == 0 or len(array) != count or array.dtype != np.dtype(spec.dtype):
        return False
    sample, wanted = array.shape[1:], tuple(spec.shape)
    return (batch, *sample) == wanted or (batch == 1 and sample == wanted)  # the latter: no batch dimension at all


def _chosen(outputs: Mapping[str, Tensor], named: str) -> tuple[str, Tensor]:
    """The output that the labels are about, never one of several by its place."""
    name = named or (next(iter(outputs)) if len(outputs) == 1 else "")
    if name in outputs:
        return name, outputs[name]
    said = f"the engine has no output {named!r}" if named else "which output holds the scores is not said"
    raise BadInput(f"accuracy: {said}", where="accuracy_output", expected=", ".join(outputs) or "an output")


def _classes(name: str, scores: Tensor, *, batch: int, most: int) -> Tensor:
    """The classes that each sample of a batch was given: the label itself, or the places of the highest scores."""
    if scores.size == batch and scores.dtype.kind in INTEGERS and most == 1:
        return scores.reshape(batch, 1)
    if scores.size < 2 * batch or scores.size % batch or scores.dtype.kind != "f":
        raise BadInput(
            f"accuracy needs a classifier, output {name!r} is {scores.dtype}{list(scores.shape)}",
            expected=f"scores or a label for each of {counted(batch, 'sample')}",
        )
    rows = scores.reshape(batch, -1)
    if most == 1:
        return np.asarray(rows.argmax(axis=1)[:, None])
    best: Tensor = np.argsort(-rows, axis=1, kind="stable")[:, :most]
    return best
