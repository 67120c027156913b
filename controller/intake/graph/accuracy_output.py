"""Which output the accuracy is taken from: the one that the job names, or the only one that can hold it. Pure."""

from collections.abc import Collection, Mapping

import numpy as np

from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps
from jetfleet.plural import counted

_AT: Steps = ("model", "data", "output")
_EVALUATION: Steps = ("model", "data", "evaluation")
_HINT = "write data: {{output: {}}}"


_CLASSES = frozenset({"accuracy", "accuracy_top5"})
_DISTANCE = "mean_abs_error"


def by_classes(metrics: Collection[str]) -> bool:
    """Whether the labels are numbers of classes."""
    return not _CLASSES.isdisjoint(metrics)


def find_metric_output(
    outputs: Mapping[str, Array], labels: Array, *, batch: int, named: str, metrics: Collection[str]
) -> str:
    """The output that the built-in metrics are about; empty where only functions of the user's look at any.

    Raises ModelError where it does not fit one of them.
    """
    if not metrics:
        return _existing(named, outputs) if named else ""
    if by_classes(metrics):
        name = find_accuracy_output(outputs, labels, batch=batch, named=named)
    else:
        name = _of_the_labels(outputs, labels, batch=batch, named=named)
    if "accuracy_top5" in metrics and outputs[name].dtype.kind in "iu":
        message = f"output {name!r} says one class, and top5 needs the scores of all"
        raise ModelError(message, steps=_EVALUATION, expected="an output of scores, or top1 alone")
    if _DISTANCE in metrics and (fault := _unlike(name, outputs[name], labels, batch=batch)):
        raise ModelError(fault, steps=_EVALUATION, expected="labels of the output's shape, row by row")
    return name


def _existing(named: str, outputs: Mapping[str, Array]) -> str:
    if named not in outputs:
        hint = nearest(named, outputs)
        raise ModelError(f"the model has no output {named!r}", steps=_AT, expected=", ".join(outputs), hint=hint)
    return named


def _of_the_labels(outputs: Mapping[str, Array], labels: Array, *, batch: int, named: str) -> str:
    if named:
        return _existing(named, outputs)
    fitting = [name for name, array in outputs.items() if not _unlike(name, array, labels, batch=batch)]
    if len(fitting) == 1 or len(outputs) == 1:
        return next(iter(fitting or outputs))
    message = f"the labels fit {counted(len(fitting), 'output')}" if fitting else "the labels fit no output"
    shown = ", ".join(_shown(name, array) for name, array in outputs.items())
    raise ModelError(message, steps=_EVALUATION, expected=f"data: {{output: NAME}}, one of {shown}")


def _unlike(name: str, array: Array, labels: Array, *, batch: int) -> str:
    """Why labels are not what an output answers, by their elements in a row; empty: they are."""
    wanted = int(np.prod(labels.shape[1:]))
    if array.dtype.kind in "iuf" and array.size == batch * wanted:
        return ""
    numbers = f"{counted(wanted, 'number')} for each of {counted(batch, 'row')}"
    return f"output {_shown(name, array)} has no {numbers}, and labels have"


def find_accuracy_output(outputs: Mapping[str, Array], labels: Array, *, batch: int, named: str) -> str:
    """`outputs` are those to one batch of evaluation rows.

    Raises ModelError where the named one does not fit, and where none or more than one could be meant.
    """
    if named:
        return _accept(named, outputs, labels, batch=batch, named=True)
    if len(outputs) == 1:
        return _accept(next(iter(outputs)), outputs, labels, batch=batch, named=False)
    fitting = [name for name, array in outputs.items() if not _fault(name, array, labels, batch=batch)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(_shown(name, outputs[name]) for name in fitting or outputs)
    if not fitting:
        raise ModelError(
            "accuracy is asked for, and no output holds scores or labels of the evaluation rows",
            steps=_EVALUATION,
            expected=f"scores or a label for each row; the outputs are {shown}",
            hint="leave evaluation out, or add such an output to the model",
        )
    raise ModelError(
        f"accuracy could be taken from any of {counted(len(fitting), 'output')}: {', '.join(fitting)}",
        steps=_EVALUATION,
        expected=f"data: {{output: NAME}}, one of {shown}",
        hint=_HINT.format(fitting[-1]),
    )


def _accept(name: str, outputs: Mapping[str, Array], labels: Array, *, batch: int, named: bool) -> str:
    steps = _AT if named else _EVALUATION
    _existing(name, outputs)
    fault = _fault(name, outputs[name], labels, batch=batch)
    if fault:
        raise ModelError(
            fault, steps=steps, expected=f"scores or a label for each of {counted(batch, 'row')}, of every class"
        )
    return name


def _fault(name: str, array: Array, labels: Array, *, batch: int) -> str:
    """Why the output cannot be what the labels are held against, or an empty string."""
    if array.dtype.kind in "iu" and array.size == batch:
        return ""
    classes = _classes(array, batch)
    if classes < 2:
        return f"output {_shown(name, array)} holds no scores of {counted(batch, 'row')}"
    if labels.max(initial=0) >= classes:
        return f"labels reach {labels.max()}, and output {_shown(name, array)} has the classes 0 to {classes - 1}"
    return ""


def _classes(array: Array, batch: int) -> int:
    """Scores of each row: floats with one axis of more than one element beside the batch's. 0: there are none."""
    if array.dtype.kind != "f" or array.ndim == 0 or array.size % batch:
        return 0
    if batch > 1 and len(array) != batch:
        return 0
    row = array[0] if len(array) == batch and array.ndim > 1 else array
    wide = [size for size in row.shape if size != 1]
    return int(np.prod(wide)) if len(wide) == 1 else 0


def _shown(name: str, array: Array) -> str:
    return f"{name} {array.dtype}{list(array.shape)}"
