"""From effects to answers, all of a report at once: the chance of any false alarm among them is bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.analysis.effects import spec_of
from controller.analysis.evidence import Evidence, in_turns
from controller.analysis.noise_floor import FALSE_ALARMS
from controller.analysis.runs import seconds_of_a_run
from controller.model.comparison import Answer, Comparison, Effect, Source
from controller.model.result import Row
from jetfleet.errors import BadInput
from jetfleet.metrics import Better
from jetfleet.plural import counted
from jetfleet.stats import holm
from jetfleet.stats.decision import MARGIN, Relation, relation
from jetfleet.stats.interleaved import processes_needed

_AB = "hold both against each other in the same processes: `submit --ab`"
_MANY = 200  # processes: more than anybody would wait for


@dataclass(frozen=True)
class DecisionRule:
    """`margin`: within it two are the same, 0.01 is 1 %, or a point. `false_alarms`: the chance of any in a report."""

    margin: float
    false_alarms: float


def rule_for(pairs: Sequence[tuple[Row, Row]], margin: float | None, false_alarms: float | None) -> DecisionRule:
    """What is asked for; else what the job asked for, where all pairs were timed in turns: by that rule the agent
    stopped. Raises BadInput.
    """
    turns = [in_turns(row, baseline)[0] for row, baseline in pairs]
    of_jobs = [item for item in turns if item]
    if not of_jobs or len(of_jobs) < len(turns):
        of_jobs = []
    if margin is None:
        margin = max((item.margin for item in of_jobs), default=MARGIN)
    if false_alarms is None:
        false_alarms = max((round(1 - item.confidence, 12) for item in of_jobs), default=FALSE_ALARMS)
    _check_rule(margin, false_alarms)
    return DecisionRule(margin, false_alarms)


def _check_rule(margin: float, false_alarms: float) -> None:
    """A number that is none is none of these."""
    if not 0 <= margin <= 1:
        raise BadInput(f"{margin} is not a valid margin", where="--margin", expected="a share: 0.01 is 1 %")
    if not 0 < false_alarms < 1:
        raise BadInput(f"{false_alarms} is not a valid chance", where="--false-alarms", expected="a share: 0.01 is 1 %")


@dataclass(frozen=True)
class Cell:
    """A comparison that awaits its answer. No `evidence`: it has its answer already, or is of shares."""

    comparison: Comparison
    evidence: Evidence | None = None
    is_open: bool = False


def decided(cells: Sequence[Cell], rule: DecisionRule) -> tuple[Comparison, ...]:
    tested = [cell for cell in cells if _p_value(cell) is not None]
    adjusted = holm.adjusted([_p_value(cell) or 0.0 for cell in tested])
    of_cell = {id(cell): p for cell, p in zip(tested, adjusted, strict=True)}
    return tuple(_decided(cell, of_cell.get(id(cell)), rule, m=len(tested)) for cell in cells)


def _p_value(cell: Cell) -> float | None:
    effect = cell.comparison.effect
    return effect.p_value if cell.is_open and effect else None


def _decided(cell: Cell, adjusted: float | None, rule: DecisionRule, *, m: int) -> Comparison:
    held, effect = cell.comparison, cell.comparison.effect
    if not cell.is_open or effect is None:
        return held
    answer, reason = answer_of(effect, adjusted, rule, m=m)
    advice = _advice(cell, rule, m=m) if answer is Answer.CANNOT_TELL else ""
    return replace(held, answer=answer, reason=reason, adjusted_p=adjusted, advice=advice)


def answer_of(effect: Effect, adjusted: float | None, rule: DecisionRule, *, m: int = 1) -> tuple[Answer, str]:
    """The rule; on a logarithmic scale, or in points."""
    change = effect.change
    if change.low is None or change.high is None or adjusted is None:
        return Answer.CANNOT_TELL, change.reason
    where = _relation(effect, change.low, change.high, rule.margin)
    if where is Relation.WITHIN:
        return Answer.SAME, f"the whole interval is within the margin of {_margin(effect, rule)}"
    if where is Relation.UNDECIDED:
        margin = _margin(effect, rule)
        return Answer.CANNOT_TELL, f"the interval holds no difference, and more than the margin of {margin}"
    if adjusted > rule.false_alarms:
        return Answer.CANNOT_TELL, f"by chance alone in {_share(adjusted)} of cases{_among(m)}"
    reason = f"by chance alone in {_share(adjusted)} of cases at most{_among(m)}"
    return _direction(effect, above=where is Relation.ABOVE), reason


def _relation(effect: Effect, low: float, high: float, margin: float) -> Relation:
    if not effect.in_points:
        return relation(low, high, margin=margin)
    if -margin <= low and high <= margin:
        return Relation.WITHIN
    if low > 0:
        return Relation.ABOVE
    return Relation.BELOW if high < 0 else Relation.UNDECIDED


def _direction(effect: Effect, *, above: bool) -> Answer:
    metric = spec_of(effect.metric)
    good = above == (metric.better is Better.HIGHER)
    if metric.unit in ("ms", "1/s"):
        return Answer.FASTER if good else Answer.SLOWER
    return Answer.BETTER if good else Answer.WORSE


def _margin(effect: Effect, rule: DecisionRule) -> str:
    return f"{rule.margin * 100:g} points" if effect.in_points else f"{rule.margin * 100:g} %"


def _among(m: int) -> str:
    return f" among {counted(m, 'comparison')}" if m > 1 else ""


def _share(value: float) -> str:
    return "less than 0.01 %" if value < 1e-4 else f"{value:.2%}"


def _advice(cell: Cell, rule: DecisionRule, *, m: int) -> str:
    """What it would take to know. The difference to be seen is the one there seems to be, or else the margin."""
    held, found = cell.comparison, cell.evidence
    if found is None:
        return "evaluate on more data"
    if found.source is not Source.INTERLEAVED:
        return _AB
    if found.found is None:
        return "let it run more processes"
    confidence = 1 - rule.false_alarms / m
    needed = processes_needed(found.ratios, margin=rule.margin, confidence=confidence)
    if needed is None or needed > _MANY:
        return f"more than {_MANY} processes, or a quieter device"
    wanted = max(needed, len(found.ratios) + 1)
    seconds = seconds_of_a_run(held.row)
    return f"about {counted(wanted, 'process')}" + (f", {wanted * seconds:.0f} s" if seconds else "")
