"""Comparisons for people and programs: each row against its baseline, the answer, and below the table every why."""

from collections.abc import Iterator

from controller.model.comparison import Answer, Comparison, ComparisonReport, Effect
from controller.model.result import VALID, Provenance, Row
from controller.record.comparison import compared_frame
from controller.report.text.table import Table, data_table
from controller.report.text.words import made_up, number, one_line
from jetfleet.metrics import METRICS, Better

_NONE = "n/a"
# Their answer needs no explanation beside the interval.
_PLAIN = frozenset({Answer.FASTER, Answer.SLOWER, Answer.BETTER, Answer.WORSE, Answer.SAME})
_EMPTY = "nothing to compare: these results hold one {by} only, {baseline}"
_SPECS = {metric.name: metric for metric in METRICS}


def compare_table(compared: ComparisonReport) -> Table:
    metric, beside = _heading(compared.metric), _beside(compared)
    change = "change" if _SPECS[compared.metric].unit == "share" else "ratio"
    numbers = (metric, f"baseline {metric}", change)
    return Table(
        columns=(
            *("job", "variant", "device", "provenance"),
            *numbers,
            "95 % interval",
            "could see",
            *(f"{_heading(name)} {'change' if _SPECS[name].unit == 'share' else 'ratio'}" for name in beside),
            "answer",
        ),
        rows=[_cells(item, compared.metric, beside) for item in compared.comparisons],
        right=frozenset({"job", "could see", *numbers}),
        folding=frozenset({"variant", "answer"}),
        empty=_EMPTY.format(by=compared.by.value, baseline=compared.baseline) if compared.baseline else "no results",
    )


def why(compared: ComparisonReport) -> Iterator[str]:
    """Below the table: what was held against what, the floors, and whatever an answer alone does not say."""
    if not compared.comparisons:
        return
    yield from _legend(compared)
    for item in compared.comparisons:
        where = one_line(f"job {item.row.job_id}, {item.row.label} on {item.row.device}")
        if item.answer not in _PLAIN:
            yield f"{where}: {item.answer.value}: {one_line(item.reason)}"
        if item.advice:
            yield f"{where}: to know: {one_line(item.advice)}"
        for note in item.notes:
            yield f"{where}: {one_line(note)}"
    simulated = sum(_provenance(item.row) == Provenance.SIMULATED.value for item in compared.comparisons)
    if simulated:
        yield made_up(simulated, len(compared.comparisons))


def _legend(compared: ComparisonReport) -> Iterator[str]:
    base = f"{compared.by.value} {one_line(compared.baseline)}"
    metric = _SPECS[compared.metric]
    if metric.unit == "share":
        yield f"change: {metric.name} less that of {base}, in points; above 0 is better{_floors(compared)}"
    else:
        side = "below" if metric.better is Better.LOWER else "above"
        word = "faster" if metric.unit in ("ms", "1/s") else "better"
        yield f"ratio: {metric.name} over that of {base}; {side} 1 is {word}{_floors(compared)}"
    if any(item.adjusted_p is not None for item in compared.comparisons):
        margin = f"{compared.margin * 100:g} {'points' if metric.unit == 'share' else '%'}"
        yield (
            f"SAME: the whole interval is within {margin}. A difference is told where equal ones would be called "
            f"different in {compared.false_alarms * 100:g} % of such tables; 'could see': what is told in 4 of 5 cases"
        )


def spread_table(compared: ComparisonReport) -> Table:
    """Equal boards beside each other."""
    return Table(
        columns=("variant", "boards", "provenance", "fastest ms", "median ms", "slowest ms", "spread", "odd boards"),
        rows=[
            (
                item.label,
                str(len(item.p50_ms)),
                item.provenance.value,
                number(item.min_ms),
                number(item.median_ms),
                number(item.max_ms),
                f"{item.relative:.1%}",
                ", ".join(item.outliers) or f"none ({item.reason})",
            )
            for item in compared.spreads
        ],
        right=frozenset({"boards", "fastest ms", "median ms", "slowest ms", "spread"}),
        folding=frozenset({"variant", "odd boards"}),
        empty="no two equal boards",
    )


def csv_table(compared: ComparisonReport) -> Table:
    """One line per comparison. Empty cells are unknown; read columns by name, more may come."""
    columns, records = compared_frame(compared)
    return data_table(columns, records)


def _heading(name: str) -> str:
    """`p50 ms` of `p50_ms`."""
    return name.replace("_", " ")


def _beside(compared: ComparisonReport) -> list[str]:
    """Tails, accuracy and energy, where there are any; throughput, where the answer is per item."""
    there = {effect.metric for item in compared.comparisons for effect in item.others}
    per_item = any(item.effect and item.effect.per_item for item in compared.comparisons)
    return [
        metric.name
        for metric in METRICS
        if metric.name in there
        and (metric.name == "p99_ms" or metric.unit in ("share", "mJ", "J") or (per_item and metric.unit == "1/s"))
    ]


def _cells(item: Comparison, metric: str, beside: list[str]) -> tuple[str, ...]:
    row, effect = item.row, item.effect
    answer = item.answer.value
    if item.answer is Answer.NOT_VALID and row.measurement.verdict != VALID:
        answer = f"{answer} ({row.measurement.verdict})"
    others = {other.metric: other for other in item.others}
    return (
        str(row.job_id),
        row.label,
        row.device,
        _provenance(row),
        _value(row.measurement.value(metric)),
        _NONE if item.baseline is None else _value(item.baseline.measurement.value(metric)),
        _change(effect),
        _interval(effect),
        _smallest(effect),
        *(_both(others.get(name)) for name in beside),
        answer,
    )


def _value(value: float | None) -> str:
    return _NONE if value is None else number(value)


def _change(effect: Effect | None) -> str:
    if effect is None or effect.change.value is None:
        return _NONE
    return _points(effect.change.value) if effect.in_points else f"{effect.change.value:.3f}"


def _points(share: float) -> str:
    return f"{share * 100:+.2f}"


def _interval(effect: Effect | None) -> str:
    if effect is None or effect.change.low is None or effect.change.high is None:
        return _NONE
    low, high = effect.change.low, effect.change.high
    return f"{_points(low)} .. {_points(high)}" if effect.in_points else f"{low:.3f} .. {high:.3f}"


def _both(effect: Effect | None) -> str:
    """In one cell: beside the question, not the question."""
    if effect is None or effect.change.value is None:
        return _NONE
    return _change(effect) if _interval(effect) == _NONE else f"{_change(effect)} ({_interval(effect)})"


def _smallest(effect: Effect | None) -> str:
    if effect is None or effect.smallest is None:
        return _NONE
    return f"{effect.smallest * 100:.2g} {'points' if effect.in_points else '%'}"


def _floors(compared: ComparisonReport) -> str:
    found = sorted({item.floor.source for item in compared.comparisons if item.floor is not None})
    return f". Noise floor: {'; '.join(found)}" if found else ""


def _provenance(row: Row) -> str:
    return row.measurement.provenance.value
