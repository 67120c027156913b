"""Rows against their baselines: faster, slower, same, cannot tell; or why they may not be compared (docs/adr/0007)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controller.analysis import stats
from controller.analysis.choose import ChosenRow, Position, at_position, choose, order_of, value_of
from controller.analysis.comparability import axis_differences, check_names, differences, unknown_clocks
from controller.analysis.noise_floor import MINIMUM, noise_floor
from controller.analysis.spread import spreads
from controller.model.comparison import Answer, Axis, Comparison, ComparisonReport, NoiseFloor
from controller.model.result import VALID, Estimate, Row
from jetfleet.errors import BadInput


def compare(
    rows: Sequence[Row],
    *,
    by: Axis | None = None,
    baseline: str = "",
    across: frozenset[str] = frozenset(),
    history: Iterable[Row] = (),
    minimum: float = MINIMUM,
) -> ComparisonReport:
    """Every variant, device or job among the rows against the baseline one.

    No `by`: jobs where there are several, else variants, else devices. No `baseline`: the oldest job, or the first by
    name. `across` names facts that may differ. `history` are more rows to learn noise floors from.
    """
    check_names(across)
    axis = by or default_axis(rows)
    values = sorted({value_of(row, axis) for row in rows}, key=lambda value: order_of(value, axis))
    base = _baseline(rows, axis, baseline, values)
    chosen = choose(rows, axis)
    known = {row.measurement_id: row for row in (*history, *rows)}
    return ComparisonReport(
        by=axis,
        baseline=base,
        comparisons=tuple(
            _held(
                found,
                at_position(chosen, replace(position, value=base)),
                where=_where(position, axis, base),
                by=axis,
                across=across,
                history=known.values(),
                minimum=minimum,
            )
            for position, found in chosen.items()
            if position.value != base
        ),
        spreads=spreads(rows),
    )


def default_axis(rows: Iterable[Row]) -> Axis:
    found = list(rows)
    for axis in (Axis.JOB, Axis.VARIANT):
        if len({value_of(row, axis) for row in found}) > 1:
            return axis
    return Axis.DEVICE


def _baseline(rows: Sequence[Row], by: Axis, wanted: str, values: Sequence[str]) -> str:
    """Raises BadInput where no row is of the wanted one."""
    if not wanted:
        return values[0] if values else ""
    if wanted in values:
        return wanted
    other = next((axis for axis in Axis if any(value_of(row, axis) == wanted for row in rows)), None)
    raise BadInput(
        f"no result is of {by.value} {wanted!r}",
        where="--baseline",
        expected=f"one of: {', '.join(values)}" if values else "a job that has results",
        hint=f"it is a {other.value}: use --by {other.value}" if other else "",
    )


def _where(position: Position, by: Axis, base: str) -> str:
    """The baseline in words, for the case that there is none."""
    return {
        Axis.DEVICE: f"{position.shared[-1]} has no result on {base}",
        Axis.VARIANT: f"{base} has no result on {position.shared[-1]}",
        Axis.JOB: f"job {base} has no result of {' on '.join(position.shared)}",
    }[by]


def _held(
    found: ChosenRow,
    base: ChosenRow | None,
    *,
    where: str,
    by: Axis,
    across: frozenset[str],
    history: Iterable[Row],
    minimum: float,
) -> Comparison:
    row = found.row
    notes = (found.note,) if found.note else ()
    if base is None:
        return Comparison(row, None, Answer.INCOMPARABLE, where, notes=notes)
    if base.note:
        notes = (*notes, f"baseline: {base.note}")
    for text, item in (("", row), ("the baseline is ", base.row)):
        if item.measurement.verdict != VALID:
            return Comparison(row, base.row, Answer.NOT_VALID, text + _verdict(item), notes=notes)
    if differing := differences(row, base.row, by=by, across=across):
        return Comparison(row, base.row, Answer.INCOMPARABLE, "; ".join(differing), notes=notes)
    if row.measurement.subject_index is None and row.measurement.p50_ms.value is None:
        return Comparison(row, base.row, Answer.INCOMPARABLE, _no_latency(row), notes=notes)
    notes = (*notes, *_remarks(row, base.row, by=by, across=across))
    floor = noise_floor(row, base.row, history, minimum=minimum)
    ratio = ratio_of(row, base.row)
    answer, reason = decide(ratio, floor)
    return Comparison(row, base.row, answer, reason, ratio, floor, notes)


def ratio_of(row: Row, baseline: Row) -> Estimate:
    """p50 over p50. The interval is of medians of rounds, and widened where it would not hold the ratio itself."""
    above, below = row.measurement, baseline.measurement
    if not above.p50_ms.value or not below.p50_ms.value:
        return Estimate(None, reason="no p50")
    ratio = above.p50_ms.value / below.p50_ms.value
    interval = stats.ratio_interval([item.p50_ms for item in above.rounds], [item.p50_ms for item in below.rounds])
    if interval is None:
        counts = f"{len(above.rounds)} and {len(below.rounds)} rounds"
        return Estimate(ratio, reason=f"no interval: {counts}, it takes {stats.MIN_ROUNDS} of each")
    return Estimate(ratio, min(interval[0], ratio), max(interval[1], ratio))


def decide(ratio: Estimate, floor: NoiseFloor) -> tuple[Answer, str]:
    """The rule, on a logarithmic scale: 2 % faster is 1 / 1.02, so that swapping the two swaps the answer."""
    if ratio.low is None or ratio.high is None:
        return Answer.CANNOT_TELL, ratio.reason
    slowest, fastest = 1.0 + floor.share, 1.0 / (1.0 + floor.share)
    if ratio.low > slowest:
        return Answer.SLOWER, f"the whole interval is beyond the noise floor, {floor.source}"
    if ratio.high < fastest:
        return Answer.FASTER, f"the whole interval is beyond the noise floor, {floor.source}"
    if fastest <= ratio.low and ratio.high <= slowest:
        return Answer.SAME, f"the whole interval is within the noise floor, {floor.source}"
    return Answer.CANNOT_TELL, f"the interval crosses the noise floor, {floor.source}"


def _no_latency(whole: Row) -> str:
    """Answers are about p50, and what several subjects do together is a throughput."""
    return f"no p50 to compare: {whole.measurement.p50_ms.reason or 'unknown'}; `results` has its throughput"


def _verdict(row: Row) -> str:
    verdict = row.measurement.verdict
    evidence = next((flag.evidence for flag in row.measurement.flags if flag.kind.value == verdict), "")
    return f"{verdict}: {evidence}" if evidence else verdict


def _remarks(row: Row, baseline: Row, *, by: Axis, across: frozenset[str]) -> list[str]:
    """What a reader must know to read the ratio rightly."""
    allowed = set(differences(row, baseline, by=by)) - set(differences(row, baseline, by=by, across=across))
    found = [*sorted(allowed), *axis_differences(row, baseline), *unknown_clocks(row, baseline)]
    above, below = row.measurement.p50_ms.value, baseline.measurement.p50_ms.value
    if row.batch != baseline.batch and above and below:
        each = (above / row.batch) / (below / baseline.batch)
        found.append(f"batch {row.batch} against {baseline.batch}: the ratio is of one inference, {each:.3f} per item")
    return found
