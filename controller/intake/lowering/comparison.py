"""A lowered graph held against FP32 on the workstation, by the same rules that the device applies later.

ONNX Runtime computes half precision in float32 on a CPU: what passes here has right constants and types. Whether half
can hold the values is read from the ranges of the reference run; the last word is the device's own check.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from controller.intake.exchange import LoweringRequest
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.check import matched_share
from controller.intake.jobfile.model_error import ModelError
from controller.model.job import CheckRule, OutputCheck, OutputSet, Precision
from jetfleet.outputs.bounds import Bounds, Judgement, Rule, Rules
from jetfleet.outputs.judge import judge, judge_all
from jetfleet.outputs.set_rows import sets_in

# What a graph answered, and what FP32 does.
Trial: TypeAlias = tuple[Mapping[str, Array], Mapping[str, Array]]
# The same with the rows that FP32 chose.
Forced: TypeAlias = Callable[[], Sequence[Trial]]


def compare(
    trials: Sequence[Trial],
    request: LoweringRequest,
    *,
    label: str,
    chosen: Mapping[str, tuple[str, ...]],
    forced: Forced,
    progress: Callable[[str], None],
) -> tuple[OutputSet, ...]:
    """Returns the sets of outputs that agree in another order alone.

    `chosen`: outputs by the node that chose their rows. Raises ModelError for outputs too far from FP32.
    """
    found_sets = reordered(trials, request, chosen, forced)
    for (choice, _), item in found_sets.items():
        names = ", ".join(item.outputs)
        if item.ties:
            progress(f"{label}: scores tie where {choice} chooses {names}: the rows of FP32's choice agree")
        else:
            progress(f"{label}: rows of {names} are matched in any order: {choice} chooses them")
    unchecked = _unchecked(request.check, trials)
    for name, found in judge_trials(trials, request.check, found_sets.values()).items():
        if not found.passed and name not in unchecked:
            raise _dissimilar(request, name, found)
        progress(f"{label} against the FP32 reference: {name} {shown(found)}")
    return tuple(found_sets.values())


def reordered(
    trials: Sequence[Trial], request: LoweringRequest, chosen: Mapping[str, tuple[str, ...]], forced: Forced
) -> dict[tuple[str, tuple[str, ...]], OutputSet]:
    """The sets, by what chose them and their names, that fail by place and agree when their rows are matched.

    Or else when the graph is given the rows that FP32 chose, which `forced` runs: then their scores tie. An output that
    is no column of the others' rows, as their count, stays held by place.
    """
    said = {*request.check.outputs, *(name for item in request.check.sets for name in item.outputs)}
    rules = rules_of(request.check)
    found = {}
    for choice, outputs in _groups(chosen, trials[0][1]):
        if not said.isdisjoint(chosen[choice]) or _all_pass(trials, outputs, rules):
            continue
        item = OutputSet(outputs, matched_share(request.precision))
        tied = replace(item, ties=True)
        if _all_pass(trials, outputs, _as_set(request.check, item)):
            found[choice, outputs] = item
        elif _all_pass(trials, outputs, _as_set(request.check, tied)) and _all_pass(forced(), outputs, rules):
            found[choice, outputs] = tied
    return found


def _groups(
    chosen: Mapping[str, tuple[str, ...]], answered: Mapping[str, Array]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for choice, names in chosen.items():
        for outputs in sets_in({name: array for name, array in answered.items() if name in names}):
            yield choice, outputs


def _as_set(check: OutputCheck, item: OutputSet) -> Rules:
    return Rules(_bounds(check), sets={item.outputs: _set_bounds(check, item)})


def _all_pass(trials: Sequence[Trial], outputs: tuple[str, ...], rules: Rules) -> bool:
    """False where nothing was tried."""
    for got, want in trials:
        wanted = {name: want[name] for name in outputs if name in want}
        if not all(found.passed for found in judge_all(got, wanted, rules).values()):
            return False
    return bool(trials)


def judge_trials(trials: Sequence[Trial], check: OutputCheck, sets: Iterable[OutputSet] = ()) -> dict[str, Judgement]:
    """Each output by the worst of all trials; integers by their share of equal elements in all trials together.

    One row's near tie says little of a class: a share needs many rows.
    """
    rules = rules_of(replace(check, sets=(*check.sets, *sets)))
    found: dict[str, list[Judgement]] = {}
    in_sets = {name for outputs in rules.sets for name in outputs}
    for got, wanted in (*trials, *_stacked(trials, without=in_sets)):
        for name, judgement in judge_all(got, wanted, rules).items():
            found.setdefault(name, []).append(judgement)
    return {name: _pooled(name, items, trials, rules) or _worst(items) for name, items in found.items()}


def _stacked(trials: Sequence[Trial], *, without: Set[str]) -> list[Trial]:
    """All trials as one, of the float outputs that they have in one shape but for the first axis.

    A row of few elements has no slice that says anything; the rows of many trials have.
    """
    if len(trials) < 2:
        return []
    got, want = {}, {}
    for name, first in trials[0][1].items():
        pairs = [(answer.get(name), wanted.get(name)) for answer, wanted in trials]
        if name in without or first.ndim < 2 or first.dtype.kind != "f":
            continue
        if not all(_stack_alike(first, pair) for pair in pairs):
            continue
        got[name] = np.concatenate([answer for answer, _ in pairs if answer is not None])
        want[name] = np.concatenate([wanted for _, wanted in pairs if wanted is not None])
    return [(got, want)] if want else []


def _stack_alike(first: Array, pair: tuple[Array | None, Array | None]) -> bool:
    return all(item is not None and item.shape[1:] == first.shape[1:] for item in pair)


def _worst(items: Sequence[Judgement]) -> Judgement:
    return min(items, key=lambda item: (item.passed, _quality(item)))


def _pooled(name: str, items: Sequence[Judgement], trials: Sequence[Trial], rules: Rules) -> Judgement | None:
    """None for what is not an output of indices or labels that has its reference's shape in every trial."""
    bounds = rules.outputs.get(name, rules.bounds)
    wanted = [want[name] for _, want in trials if name in want]
    in_set = bounds.rule is Rule.SET or any(name in outputs for outputs in rules.sets)
    if in_set or not wanted or wanted[0].dtype.kind == "f" or bounds.tolerance:
        return None
    if any(item.equal_share is None for item in items):
        return None
    got = np.concatenate([answer[name].ravel() for answer, want in trials if name in want])
    return judge(got, np.concatenate([array.ravel() for array in wanted]), bounds)


def _unchecked(check: OutputCheck, trials: Sequence[Trial]) -> set[str]:
    """Outputs that are only shown: the job said check: off."""
    names = {name for _, wanted in trials for name in wanted}
    return {name for name in names if check.outputs.get(name, check).rule is CheckRule.OFF}


def rules_of(check: OutputCheck) -> Rules:
    """A job's bounds as the judge takes them; what is off is still looked at, to be shown."""
    return Rules(
        _bounds(check),
        outputs={name: _bounds(item) for name, item in check.outputs.items()},
        sets={item.outputs: _set_bounds(check, item) for item in check.sets},
    )


def _set_bounds(check: OutputCheck, item: OutputSet) -> Bounds:
    return replace(_bounds(check), rule=Rule.SET, min_agreement=item.min_agreement, ties=item.ties)


def _bounds(check: OutputCheck) -> Bounds:
    return Bounds(
        Rule.COSINE if check.rule is CheckRule.OFF else Rule(check.rule.value),
        rtol=check.rtol,
        atol=check.atol,
        min_cosine=check.min_cosine,
        min_slice_cosine=check.min_slice_cosine,
        max_norm_error=check.max_norm_error,
        min_agreement=check.min_agreement,
        tolerance=check.tolerance or 0,
    )


def shown(found: Judgement) -> str:
    """A judgement in one line: what was found in the whole, in the worst slice, and the largest error."""
    if found.cosine is None:
        return found.detail
    parts = [f"cosine {found.cosine:.6f}"]
    if found.norm_ratio is not None:
        parts.append(f"norm ratio {found.norm_ratio:.4f}")
    if found.worst_slice and found.worst_slice_cosine is not None:
        parts.append(f"worst slice {found.worst_slice}: cosine {found.worst_slice_cosine:.6f}")
    if found.max_abs is not None:
        parts.append(f"largest error {found.max_abs:.3g}")
    if found.snr_db is not None:
        parts.append(f"SNR {found.snr_db:.1f} dB")
    return ", ".join(parts)


def _quality(found: Judgement) -> float:
    values = (found.worst_slice_cosine, found.cosine, found.equal_share)
    return min(value for value in (*values, 1.0) if value is not None)


def _dissimilar(request: LoweringRequest, output: str, found: Judgement) -> ModelError:
    verb = "calibrate and compare" if request.precision is Precision.INT8 else "compare"
    more = "" if found.cosine is None else f" ({shown(found)})"
    sets = ""
    if found.cosine is None and found.equal_share is None:
        sets = "; rows that are a set, as a detector's boxes are, are matched by check: {rule: set}"
    return ModelError(
        f"in {request.precision.value}, output {output!r} is too far from FP32: {found.detail}{more}",
        steps=request.steps,
        expected="outputs within the bounds of `check:`",
        hint=f"{verb} with inputs like those that the model will see (model.data, values); or set other bounds under "
        f"check: (check: {{outputs: {{{output}: {{...}}}}}} for this output alone){sets}",
    )
