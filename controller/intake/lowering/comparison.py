"""A lowered graph held against FP32 on the workstation, by the same rules that the device applies later.

ONNX Runtime computes half precision in float32 on a CPU: what passes here has right constants and types. Whether half
can hold the values is read from the ranges of the reference run; the last word is the device's own check.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.intake.exchange import LoweringRequest
from controller.intake.graph.tensors import Array
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
    progress: Callable[[str], None],
) -> None:
    """Outputs by batch size. Raises ModelError for those too far from FP32."""
    rules = rules_of(request.check)
    unchecked = _unchecked(request.check, references)
    worst: dict[str, Judgement] = {}
    for batch, wanted in references.items():
        for name, found in judge_all(answers[batch], wanted, rules).items():
            if not found.passed and name not in unchecked:
                raise _dissimilar(request, name, found)
            worst[name] = min(worst.get(name, found), found, key=_quality)
    for name, found in worst.items():
        progress(f"{label} against the FP32 reference: {name} {shown(found)}")


def _unchecked(check: OutputCheck, references: Mapping[int, Mapping[str, Array]]) -> set[str]:
    """Outputs that are only shown: the job said check: off."""
    names = {name for wanted in references.values() for name in wanted}
    return {name for name in names if check.outputs.get(name, check).rule is CheckRule.OFF}


def rules_of(check: OutputCheck) -> Rules:
    """A job's bounds as the judge takes them; what is off is still looked at, to be shown."""
    return Rules(
        _bounds(check),
        outputs={name: _bounds(item) for name, item in check.outputs.items()},
        sets={
            item.outputs: replace(_bounds(check), rule=Rule.SET, min_agreement=item.min_agreement)
            for item in check.sets
        },
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
