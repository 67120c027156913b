"""A lowered graph held against FP32 on the workstation, by the same rules that the device applies later.

ONNX Runtime computes half precision in float32 on a CPU: what passes here has right constants and types. Whether half
can hold the values is read from the ranges of the reference run; the last word is the device's own check.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.intake.exchange import LoweringRequest
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.check import matched_share
from controller.intake.jobfile.model_error import ModelError
from controller.model.job import CheckRule, OutputCheck, OutputSet, Precision
from jetfleet.outputs.bounds import Bounds, Judgement, Rule, Rules
from jetfleet.outputs.judge import judge_all


def compare(
    answers: Mapping[int, Mapping[str, Array]],
    references: Mapping[int, Mapping[str, Array]],
    request: LoweringRequest,
    *,
    label: str,
    chosen: Mapping[str, tuple[str, ...]],
    progress: Callable[[str], None],
) -> tuple[OutputSet, ...]:
    """Outputs by batch size; returns the sets of outputs that agree in another order alone.

    `chosen`: outputs by the node that chose their rows. Raises ModelError for outputs too far from FP32.
    """
    rules = rules_of(request.check)
    found_sets = _reordered(answers, references, request, rules, chosen)
    for choice, item in found_sets.items():
        progress(f"{label}: rows of {', '.join(item.outputs)} are matched in any order: {choice} chooses them")
    check = replace(request.check, sets=(*request.check.sets, *found_sets.values()))
    rules = rules_of(check)
    unchecked = _unchecked(request.check, references)
    worst: dict[str, Judgement] = {}
    for batch, wanted in references.items():
        for name, found in judge_all(answers[batch], wanted, rules).items():
            if not found.passed and name not in unchecked:
                raise _dissimilar(request, name, found)
            worst[name] = min(worst.get(name, found), found, key=_quality)
    for name, found in worst.items():
        progress(f"{label} against the FP32 reference: {name} {shown(found)}")
    return tuple(found_sets.values())


def _reordered(
    answers: Mapping[int, Mapping[str, Array]],
    references: Mapping[int, Mapping[str, Array]],
    request: LoweringRequest,
    rules: Rules,
    chosen: Mapping[str, tuple[str, ...]],
) -> dict[str, OutputSet]:
    """The sets, by what chose them, that fail by place and agree when their rows are matched."""
    said = {*request.check.outputs, *(name for item in request.check.sets for name in item.outputs)}
    found = {}
    for choice, outputs in chosen.items():
        item = OutputSet(outputs, matched_share(request.precision))
        as_set = Rules(rules.bounds, sets={outputs: _set_bounds(request.check, item)})
        by_place = [_all_pass(answers[batch], wanted, outputs, rules) for batch, wanted in references.items()]
        matched = [_all_pass(answers[batch], wanted, outputs, as_set) for batch, wanted in references.items()]
        if said.isdisjoint(outputs) and not all(by_place) and all(matched):
            found[choice] = item
    return found


def _all_pass(got: Mapping[str, Array], want: Mapping[str, Array], outputs: tuple[str, ...], rules: Rules) -> bool:
    wanted = {name: want[name] for name in outputs if name in want}
    return all(found.passed for found in judge_all(got, wanted, rules).values())


def _unchecked(check: OutputCheck, references: Mapping[int, Mapping[str, Array]]) -> set[str]:
    """Outputs that are only shown: the job said check: off."""
    names = {name for wanted in references.values() for name in wanted}
    return {name for name in names if check.outputs.get(name, check).rule is CheckRule.OFF}


def rules_of(check: OutputCheck) -> Rules:
    """A job's bounds as the judge takes them; what is off is still looked at, to be shown."""
    return Rules(
        _bounds(check),
        outputs={name: _bounds(item) for name, item in check.outputs.items()},
        sets={item.outputs: _set_bounds(check, item) for item in check.sets},
    )


def _set_bounds(check: OutputCheck, item: OutputSet) -> Bounds:
    return replace(_bounds(check), rule=Rule.SET, min_agreement=item.min_agreement)


def _bounds(check: OutputCheck) -> Bounds:
    return Bounds(
        Rule.COSINE if check.rule is CheckRule.OFF else Rule(check.rule.value),
        rtol=check.rtol,
        atol=check.atol,
        min_cosine=check.min_cosine,
        min_slice_cosine=check.min_slice_cosine,
        max_norm_error=check.max_norm_error,
        min_agreement=check.min_agreement,
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
