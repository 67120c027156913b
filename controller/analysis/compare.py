"""Rows against their baselines: faster, slower, same, cannot tell; or why they may not be compared (docs/adr/0021)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from controller.analysis.answers import Cell, DecisionRule, decided, rule_for
from controller.analysis.baseline import baseline_value, default_axis
from controller.analysis.choose import ChosenRow, Position, at_position, choose
from controller.analysis.comparability import check_names, differences
from controller.analysis.effects import BESIDE, check_metric, effect_of
from controller.analysis.evidence import in_turns
from controller.analysis.noise_floor import NoiseFloors
from controller.analysis.remarks import remarks
from controller.analysis.spread import spreads
from controller.model.comparison import Answer, Axis, Comparison, ComparisonReport, Effect
from controller.model.result import VALID, FlagKind, Row, Schedule, verdict

HEADLINE = "p50_ms"
# What they say of a p50 holds for both that were timed in turns, and cancels in the ratio of a process; one in which
# something stood still is left out.
CANCELLED_IN_TURNS = frozenset(
    {
        FlagKind.UNSTABLE,
        FlagKind.NOT_REPEATABLE,
        FlagKind.TOO_FEW_SAMPLES,
        FlagKind.INTERFERED,
        FlagKind.THROTTLED,
        FlagKind.CLOCK_DRIFT,
        FlagKind.PAUSED,
    }
)


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
    check_metric(metric)
    axis = by or default_axis(rows)
    base = baseline_value(rows, axis, baseline)
    chosen = choose(rows, axis)
    known = {row.measurement_id: row for row in (*history, *rows)}
    pairs = list(_pairs(chosen, base, {} if baseline else _bases_in_turns(rows)))
    rule = rule_for([(found.row, other.row) for _, found, other in pairs if other], margin, false_alarms)
    asked = _Question(axis, across, metric, rule, NoiseFloors(list(known.values())))
    cells = [
        _held(found, other, where=_where(position, axis, base), asked=asked, m=len(pairs))
        for position, found, other in pairs
    ]
    return ComparisonReport(
        by=axis,
        baseline=base,
        comparisons=decided(cells, asked.rule),
        spreads=spreads(rows),
        metric=metric,
        margin=rule.margin,
        false_alarms=rule.false_alarms,
    )


def _bases_in_turns(rows: Iterable[Row]) -> dict[int, Row]:
    """By task: what the other one was timed in turns with."""
    return {row.task_id: row for row in rows if row.schedule is Schedule.INTERLEAVED and row.part == "subject 0"}


def _pairs(
    chosen: dict[Position, ChosenRow], base: str, in_turns: dict[int, Row]
) -> Iterator[tuple[Position, ChosenRow, ChosenRow | None]]:
    for position, found in chosen.items():
        partner = in_turns.get(found.row.task_id)
        if partner and found.row.interleaved:
            yield position, found, ChosenRow(partner)
        elif position.value != base:
            yield position, found, at_position(chosen, replace(position, value=base))


def _where(position: Position, by: Axis, base: str) -> str:
    """The baseline in words, for the case that there is none."""
    return {
        Axis.DEVICE: f"{position.shared[-1]} has no result on {base}",
        Axis.VARIANT: f"{base} has no result on {position.shared[-1]}",
        Axis.JOB: f"job {base} has no result of {' on '.join(position.shared)}",
    }[by]


def _held(found: ChosenRow, base: ChosenRow | None, *, where: str, asked: _Question, m: int) -> Cell:
    row = found.row
    notes = (found.note,) if found.note else ()
    if base is None:
        return _closed(row, None, Answer.INCOMPARABLE, where, notes)
    if base.note:
        notes = (*notes, f"baseline: {base.note}")
    cancelled = CANCELLED_IN_TURNS if in_turns(row, base.row)[0] else frozenset()
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
