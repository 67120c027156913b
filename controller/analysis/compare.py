"""Rows against their baselines: faster, slower, same, cannot tell; or why they may not be compared (docs/adr/0021)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from controller.analysis.answers import Cell, DecisionRule, decided, rule_for
from controller.analysis.baseline import baseline_value, default_axis
from controller.analysis.choose import ChosenRow, Position, at_position, choose
from controller.analysis.comparability import check_names, differences
from controller.analysis.effects import BESIDE, comparable_metric, effect_of
from controller.analysis.evidence import in_turns
from controller.analysis.noise_floor import NoiseFloors
from controller.analysis.remarks import remarks
from controller.analysis.repeats import newest_repeats
from controller.analysis.spread import spreads
from controller.analysis.turns import TurnPair, answered_in_turns, beside_turns, turn_pairs
from controller.model.comparison import Answer, Axis, Comparison, ComparisonReport, Effect
from controller.model.result import OF_THE_MACHINE, VALID, FlagKind, Row, verdict

HEADLINE = "p50_ms"


@dataclass(frozen=True)
class _Question:
    by: Axis
    across: frozenset[str]
    metric: str
    rule: DecisionRule
    noise: NoiseFloors


def compare(
    rows: Sequence[Row],
    *,
    by: Axis | None = None,
    baseline: str = "",
    across: frozenset[str] = frozenset(),
    history: Iterable[Row] = (),
    metric: str = HEADLINE,
    margin: float | None = None,
    false_alarms: float | None = None,
) -> ComparisonReport:
    """Every variant, device or job among the rows against the baseline one.

    No `by`: jobs where there are several, else variants, else devices. No `baseline`: see baseline_value; and what was
    timed in turns with something is held against that. `across` names facts that may differ. `history` are more rows to
    learn noise floors from. Two are the same within `margin`, and `false_alarms` is the chance that any two equal ones
    of the report are said to differ; left out, 1 % each, or what the job asked for whose pairs these are.
    """
    check_names(across)
    metric = comparable_metric(metric)
    axis = by or default_axis(rows)
    rows = newest_repeats(rows, axis)
    base = baseline_value(rows, axis, baseline)
    together = turn_pairs(rows) if axis is Axis.VARIANT else []
    known = {row.measurement_id: row for row in (*newest_repeats(list(history)), *rows)}
    turned = [found for pair in together if (found := pair.against(baseline)) is not None]
    pairs = list(_pairs(choose(beside_turns(rows, together), axis), base, together))
    held = [*turned, *((found.row, other.row) for _, found, other in pairs if other)]
    rule = rule_for(held, margin, false_alarms)
    asked = _Question(axis, across, metric, rule, NoiseFloors(list(known.values())))
    m = len(turned) + len(pairs)
    cells = [_held(ChosenRow(*_noted(row, other, base)), ChosenRow(other), asked=asked, m=m) for row, other in turned]
    cells += [
        _held(found, other, where=_where(position, axis, base), asked=asked, m=m) for position, found, other in pairs
    ]
    return ComparisonReport(
        by=axis,
        baseline=base,
        comparisons=decided(cells, asked.rule),
        spreads=spreads(newest_repeats(rows, most=1)),
        metric=metric,
        margin=rule.margin,
        false_alarms=rule.false_alarms,
    )


def _noted(row: Row, other: Row, base: str) -> tuple[Row, str]:
    """Several pairs may have bases of their own, of which a report names one."""
    return row, "" if other.variant_key == base else f"the baseline is {other.variant_key}"


def _pairs(
    chosen: dict[Position, ChosenRow], base: str, together: Sequence[TurnPair]
) -> Iterator[tuple[Position, ChosenRow, ChosenRow | None]]:
    """Of what was not timed in turns; two of which there are turns are compared by these."""
    answered = answered_in_turns(together)
    for position, found in chosen.items():
        row = found.row
        if position.value != base and (row.model_name, row.device, frozenset((row.variant_key, base))) not in answered:
            yield position, found, at_position(chosen, replace(position, value=base))


def _where(position: Position, by: Axis, base: str) -> str:
    """The baseline in words, for the case that there is none."""
    return {
        Axis.DEVICE: f"{position.shared[-1]} has no result on {base}",
        Axis.VARIANT: f"{base} has no result on {position.shared[-1]}",
        Axis.JOB: f"job {base} has no result of {' on '.join(position.shared)}",
    }[by]


def _held(found: ChosenRow, base: ChosenRow | None, *, where: str = "", asked: _Question, m: int) -> Cell:
    row = found.row
    notes = (found.note,) if found.note else ()
    if base is None:
        return _closed(row, None, Answer.INCOMPARABLE, where, notes)
    if base.note:
        notes = (*notes, f"baseline: {base.note}")
    cancelled = OF_THE_MACHINE if in_turns(row, base.row)[0] else frozenset()
    for text, item in (("", row), ("the baseline is ", base.row)):
        if (worst := verdict(_flags(item) - cancelled)) != VALID:
            return _closed(row, base.row, Answer.NOT_VALID, text + _evidence_of(item, worst), notes)
    if shared := sorted(kind.value for kind in (_flags(row) | _flags(base.row)) & cancelled):
        notes = (*notes, f"{', '.join(shared)}: of both alike, for they were timed in turns")
    if differing := differences(row, base.row, by=asked.by, across=asked.across):
        return _closed(row, base.row, Answer.INCOMPARABLE, "; ".join(differing), notes)
    notes = (*notes, *remarks(row, base.row, by=asked.by, across=asked.across))
    return _measured(row, base.row, notes=notes, asked=asked, m=m)


def _measured(row: Row, base: Row, *, notes: tuple[str, ...], asked: _Question, m: int) -> Cell:
    """`m` as if all of them were tested, which is the worst that can be said of what would have been seen."""
    outside = asked.rule.false_alarms / m
    effect, found = effect_of(row, base, asked.noise.of(asked.metric), outside=outside)
    held = Comparison(
        row,
        base,
        Answer.CANNOT_TELL,
        effect.change.reason,
        effect=effect,
        others=_beside(row, base, asked, outside),
        floor=found.floor if found else None,
        notes=notes,
    )
    if effect.value is None or effect.baseline_value is None:
        return Cell(replace(held, answer=Answer.INCOMPARABLE, reason=_missing(row, base, asked.metric)))
    return Cell(held, found, is_open=True)


def _beside(row: Row, base: Row, asked: _Question, outside: float) -> tuple[Effect, ...]:
    """Whatever both have of the figures that results are read by."""
    return tuple(
        effect_of(row, base, asked.noise.of(name), outside=outside)[0]
        for name in BESIDE
        if name != asked.metric and None not in (row.measurement.value(name), base.measurement.value(name))
    )


def _closed(row: Row, base: Row | None, answer: Answer, reason: str, notes: tuple[str, ...]) -> Cell:
    return Cell(Comparison(row, base, answer, reason, notes=notes))


def _missing(row: Row, base: Row, metric: str) -> str:
    without = row if row.measurement.value(metric) is None else base
    reason = without.measurement.estimate(metric).reason or "unknown"
    hint = "" if metric != HEADLINE or without.measurement.subject_index is not None else "; --metric throughput_per_s"
    return f"no {metric} to compare: {reason}{hint}"


def _flags(row: Row) -> set[FlagKind]:
    return {flag.kind for flag in row.measurement.flags}


def _evidence_of(row: Row, worst: str) -> str:
    evidence = next((flag.evidence for flag in row.measurement.flags if flag.kind.value == worst), "")
    return f"{worst}: {evidence}" if evidence else worst
