"""An engine's outputs held against the reference, tensor by tensor, and top-1 accuracy on labelled samples.

Runs outside every timed window. Knows arrays and rules; where they come from is not its business.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_UNCHECKED,
    FLAG_KIND_WRONG_OUTPUT,
    PRECISION_FP32,
    PRECISION_INT8,
    Flag,
    OutputCheck,
    Precision,
    TensorCheck,
    TensorSpec,
)

_INTEGERS = "biu"
_WHOLE = "iu"  # without bool


def rule_for(check: OutputCheck, precision: "Precision.ValueType") -> OutputCheck:
    """The rule to apply: the task's, or by precision where it gives none."""
    if check.rule != OutputCheck.RULE_UNSPECIFIED:
        return check
    if precision == PRECISION_FP32:
        return OutputCheck(rule=OutputCheck.RULE_CLOSE, rtol=1e-3, atol=1e-4)
    return OutputCheck(rule=OutputCheck.RULE_COSINE, min_cosine=0.99 if precision == PRECISION_INT8 else 0.999)


def check_outputs(got: Mapping[str, Tensor], want: Mapping[str, Tensor], rule: OutputCheck) -> list[TensorCheck]:
    """One check per reference tensor. Raises BadInput for a reference that is no tensor of numbers."""
    return [_check(name, got.get(name), array, rule) for name, array in want.items()]


def check_flags(checks: Sequence[TensorCheck], rule: OutputCheck) -> list[Flag]:
    """WRONG_OUTPUT if a tensor failed, UNCHECKED if none was looked at."""
    if rule.rule == OutputCheck.RULE_OFF:
        return [Flag(kind=FLAG_KIND_UNCHECKED, evidence="the job said check: off")]
    if not checks:
        return [Flag(kind=FLAG_KIND_UNCHECKED, evidence="the task has no reference outputs")]
    failed = [f"{check.tensor}: {check.detail}" for check in checks if not check.passed]
    return [Flag(kind=FLAG_KIND_WRONG_OUTPUT, evidence="; ".join(failed))] if failed else []


def _check(name: str, got: Tensor | None, want: Tensor, rule: OutputCheck) -> TensorCheck:
    if want.dtype.kind not in "f" + _INTEGERS:
        raise BadInput(f"a reference of {want.dtype} cannot be compared", where=name, expected="floats or integers")
    if got is None:
        return TensorCheck(tensor=name, passed=False, detail="the engine has no such output")
    if got.shape != want.shape or not _alike(got.dtype, want.dtype):
        shapes = f"got {got.dtype}{list(got.shape)}, want {want.dtype}{list(want.shape)}"
        return TensorCheck(tensor=name, passed=False, detail=shapes)
    return (
        _check_integers(name, got, want, rule) if want.dtype.kind in _INTEGERS else _check_floats(name, got, want, rule)
    )


def _alike(got: np.dtype[Any], want: np.dtype[Any]) -> bool:
    """One type, or integers of any width, whose values tell: TensorRT 8.x makes int32 of a graph's int64."""
    return got == want or (got.kind in _WHOLE and want.kind in _WHOLE)


def _check_integers(name: str, got: Tensor, want: Tensor, rule: OutputCheck) -> TensorCheck:
    share = float(np.mean(got == want)) if want.size else 1.0
    least = rule.min_agreement or 1.0  # 0 would let anything pass: nobody means that, so absent means all
    detail = f"{100 * share:g} % of elements equal, at least {100 * least:g} % wanted"
    return TensorCheck(tensor=name, passed=share >= least, equal_share=share, detail=detail)


def _check_floats(name: str, got: Tensor, want: Tensor, rule: OutputCheck) -> TensorCheck:
    a, b = got.astype(np.float64), want.astype(np.float64)
    check = TensorCheck(tensor=name)
    comparable = np.isfinite(a) & np.isfinite(b)
    _fill_metrics(check, a[comparable], b[comparable])
    if _is_classifier(b):
        check.top1_agreement = float(np.mean(a.argmax(axis=1) == b.argmax(axis=1)))
    # An infinity or NaN must be where the reference has it, whatever the rule.
    strange = ~comparable & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if strange.any():
        check.detail = f"{int(strange.sum())} elements not finite alike, first {_shown(strange, got, want)}"
    elif rule.rule == OutputCheck.RULE_COSINE:
        check.passed = check.cosine >= rule.min_cosine
        check.detail = f"cosine {check.cosine:.6g}, at least {rule.min_cosine:g} wanted"
    else:
        with np.errstate(invalid="ignore"):  # infinity less infinity, where both agree
            off = comparable & (np.abs(a - b) > rule.atol + rule.rtol * np.abs(b))
        check.passed = not off.any()
        check.detail = f"|got - want| <= {rule.atol:g} + {rule.rtol:g} |want|"
        if not check.passed:
            check.detail = f"{int(off.sum())} of {off.size} break {check.detail}, first {_shown(off, got, want)}"
    return check


def _fill_metrics(check: TensorCheck, got: Tensor, want: Tensor) -> None:
    """Differences over the elements that are finite on both sides."""
    difference = np.abs(got - want)
    nonzero = want != 0
    check.max_abs = float(difference.max(initial=0.0))
    if nonzero.any():
        check.max_rel = float((difference[nonzero] / np.abs(want[nonzero])).max())
    norms = float(np.linalg.norm(got)) * float(np.linalg.norm(want))
    if norms > 0:
        check.cosine = float(got @ want) / norms
    else:
        check.cosine = 1.0 if check.max_abs == 0 else 0.0
    signal, noise = float(want @ want), float(difference @ difference)
    if signal > 0 and noise > 0:
        check.snr_db = 10 * math.log10(signal / noise)


def _is_classifier(want: Tensor) -> bool:
    """Rows of scores over at least two classes."""
    return want.ndim == 2 and want.shape[0] > 0 and want.shape[1] >= 2


def _shown(where: Tensor, got: Tensor, want: Tensor) -> str:
    index = tuple(int(axis) for axis in np.unravel_index(int(where.argmax()), where.shape))
    return f"at {list(index)}: got {got[index]:g}, want {want[index]:g}"


def top1_accuracy(
    run: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
    samples: Mapping[str, Tensor],
    labels: Tensor,
    *,
    specs: Sequence[TensorSpec],
    batch: int,
) -> float:
    """Share of samples whose first output says the label. Raises BadInput if samples, labels and engine do not fit."""
    count = len(labels) if labels.ndim == 1 and labels.dtype.kind in "iu" else 0
    if not count:
        raise BadInput(f"labels are {labels.dtype}{list(labels.shape)}", expected="integers of shape (samples,)")
    correct = 0
    for begin, inputs in _batches(samples, count, specs=specs, batch=batch):
        said = _classes(run(inputs), batch)
        wanted = labels[begin : begin + batch]
        correct += int(np.sum(said[: len(wanted)] == wanted))
    return correct / count


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
                expected=f"{count} samples for an engine that takes {spec.dtype}{list(spec.shape)}",
            )
    for begin in range(0, count, batch):
        taken = np.minimum(np.arange(begin, begin + batch), count - 1)
        yield begin, {spec.name: samples[spec.name][taken].reshape(tuple(spec.shape)) for spec in specs}


def _fits(array: Tensor, count: int, spec: TensorSpec, batch: int) -> bool:
    if array.ndim == 0 or len(array) != count or array.dtype != np.dtype(spec.dtype):
        return False
    sample, wanted = array.shape[1:], tuple(spec.shape)
    return (batch, *sample) == wanted or (batch == 1 and sample == wanted)  # the latter: no batch dimension at all


def _classes(outputs: Mapping[str, Tensor], batch: int) -> Tensor:
    """The class that each sample of a batch was given: the label itself, or the place of the highest score."""
    first = next(iter(outputs.values()), np.zeros(0))
    if first.size == batch and first.dtype.kind in _INTEGERS:
        return first.reshape(batch)
    if first.size < 2 * batch or first.size % batch or first.dtype.kind != "f":
        raise BadInput(
            f"accuracy needs a classifier, the first output is {first.dtype}{list(first.shape)}",
            expected=f"scores or a label for each of {batch} samples",
        )
    classes: Tensor = first.reshape(batch, -1).argmax(axis=1)
    return classes
