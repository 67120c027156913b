"""An engine's outputs held against the reference, tensor by tensor.

Runs outside every timed window. Knows arrays and rules; where they come from is not its business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.outputs import defaults
from jetfleet.outputs.bounds import Bounds, Judgement, Rule, Rules
from jetfleet.outputs.judge import judge_all, reference_weakness
from jetfleet.outputs.labels import names_in
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_UNCHECKED,
    FLAG_KIND_WRONG_OUTPUT,
    Flag,
    OutputCheck,
    OutputSet,
    Precision,
    TensorCheck,
)

_RULES = {
    OutputCheck.RULE_CLOSE: Rule.CLOSE,
    OutputCheck.RULE_COSINE: Rule.COSINE,
    OutputCheck.RULE_OFF: Rule.OFF,
    OutputCheck.RULE_SET: Rule.SET,
}


def rule_for(check: OutputCheck, precision: "Precision.ValueType") -> OutputCheck:
    """The rule to apply: the task's, or by precision where it gives none."""
    if check.rule != OutputCheck.RULE_UNSPECIFIED:
        return check
    name = Precision.Name(precision).removeprefix("PRECISION_").lower()
    return OutputCheck(
        rule=OutputCheck.Rule.Value(f"RULE_{defaults.rule_name(name).upper()}"),
        rtol=defaults.RTOL,
        atol=defaults.ATOL,
        min_cosine=defaults.min_cosine(name),
        min_agreement=defaults.min_equal(name),
    )


def check_outputs(got: Mapping[str, Tensor], want: Mapping[str, Tensor], rule: OutputCheck) -> list[TensorCheck]:
    """One check per reference tensor, and per set of them. Raises BadInput for a reference that is not of numbers."""
    rules = Rules(
        _bounds(rule),
        outputs={name: _bounds(item) for name, item in rule.outputs.items()},
        sets={tuple(item.outputs): _set_bounds(rule, item) for item in rule.sets},
    )
    try:
        found = judge_all(got, want, rules)
    except ValueError as error:
        raise BadInput(str(error), where="the reference outputs", expected="floats or integers") from error
    return [_as_message(label, item, got, want) for label, item in found.items()]


def check_flags(checks: Sequence[TensorCheck], rule: OutputCheck) -> list[Flag]:
    """WRONG_OUTPUT if a tensor failed; UNCHECKED if none was looked at, or none could show a fault."""
    if rule.rule == OutputCheck.RULE_OFF and not checks:
        return [Flag(kind=FLAG_KIND_UNCHECKED, evidence="the job said check: off")]
    if not checks:
        return [Flag(kind=FLAG_KIND_UNCHECKED, evidence="the task has no reference outputs")]
    failed = [f"{check.tensor}: {check.detail}" for check in checks if not check.passed]
    if failed:
        return [Flag(kind=FLAG_KIND_WRONG_OUTPUT, evidence="; ".join(failed))]
    if all(check.weakness for check in checks):
        weak = "; ".join(f"{check.tensor}: {check.weakness}" for check in checks)
        return [Flag(kind=FLAG_KIND_UNCHECKED, evidence=f"the reference cannot show a fault: {weak}")]
    return []


def _bounds(rule: OutputCheck) -> Bounds:
    return Bounds(
        _RULES.get(rule.rule, Rule.COSINE),
        rtol=rule.rtol,
        atol=rule.atol,
        min_cosine=rule.min_cosine,
        min_slice_cosine=rule.min_slice_cosine if rule.HasField("min_slice_cosine") else None,
        max_norm_error=rule.max_norm_error if rule.HasField("max_norm_error") else None,
        min_agreement=rule.min_agreement,
        tolerance=rule.tolerance,
    )


def _set_bounds(rule: OutputCheck, item: OutputSet) -> Bounds:
    return replace(_bounds(rule), rule=Rule.SET, min_agreement=item.min_agreement, ties=item.ties)


def _as_message(label: str, found: Judgement, got: Mapping[str, Tensor], want: Mapping[str, Tensor]) -> TensorCheck:
    """Field by field: both have the same names. What does not apply stays absent."""
    known = {key: value for key, value in vars(found).items() if value is not None}
    check = TensorCheck(tensor=label, **known)
    if label not in want:
        is_empty = all(want[name].size == 0 for name in names_in(label) if name in want)
        check.weakness = "it is empty" if is_empty else found.weakness
        return check
    check.weakness = reference_weakness(want[label])
    return check
