"""Comparisons for people and programs: each row against its baseline, the answer, and below the table every why."""

from collections.abc import Iterator

from controller.model.comparison import Answer, Comparison, ComparisonReport
from controller.model.result import VALID, Estimate, Provenance, Row
from controller.record.comparison import compared_frame
from controller.report.text.table import Table, data_table
from controller.report.text.words import estimate, number, one_line

_NONE = "n/a"
# Their answer needs no explanation beside the noise floor, which is said once.
_PLAIN = frozenset({Answer.FASTER, Answer.SLOWER, Answer.SAME})
_EMPTY = "nothing to compare: these results hold one {by} only, {baseline}"


def compare_table(compared: ComparisonReport) -> Table:
    return Table(
        columns=("job", "variant", "device", "provenance", "p50 ms", "baseline ms", "ratio", "95 % interval", "answer"),
        rows=[_cells(item) for item in compared.comparisons],
        right=frozenset({"job", "p50 ms", "baseline ms", "ratio"}),
        folding=frozenset({"variant", "answer"}),
        empty=_EMPTY.format(by=compared.by.value, baseline=compared.baseline) if compared.baseline else "no results",
    )


def why(compared: ComparisonReport) -> Iterator[str]:
    """Below the table: what was held against what, the floors, and whatever an answer alone does not say."""
    if not compared.comparisons:
        return
    base = f"{compared.by.value} {one_line(compared.baseline)}"
    yield f"ratio: p50 over that of {base}; below 1 is faster{_floors(compared)}"
    for item in compared.comparisons:
        where = one_line(f"job {item.row.job_id}, {item.row.label} on {item.row.device}")
        if item.answer not in _PLAIN:
            yield f"{where}: {item.answer.value}: {one_line(item.reason)}"
        for note in item.notes:
            yield f"{where}: {one_line(note)}"
    simulated = sum(_provenance(item.row) == Provenance.SIMULATED.value for item in compared.comparisons)
    if simulated:
        yield f"{simulated} of {len(compared.comparisons)} rows are SIMULATED: made-up numbers, not measurements"


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


def _cells(item: Comparison) -> tuple[str, ...]:
    row, ratio = item.row, item.ratio
    answer = item.answer.value
    if item.answer is Answer.NOT_VALID and row.measurement.verdict != VALID:
        answer = f"{answer} ({row.measurement.verdict})"
    return (
        str(row.job_id),
        row.label,
        row.device,
        _provenance(row),
        _p50(row),
        _NONE if item.baseline is None else _p50(item.baseline),
        _NONE if ratio is None or ratio.value is None else f"{ratio.value:.3f}",
        _interval(ratio),
        answer,
    )


def _p50(row: Row) -> str:
    return estimate(Estimate(row.measurement.p50_ms.value), n=row.measurement.n)


def _interval(ratio: Estimate | None) -> str:
    if ratio is None or ratio.low is None or ratio.high is None:
        return _NONE
    return f"{ratio.low:.3f} .. {ratio.high:.3f}"


def _floors(compared: ComparisonReport) -> str:
    found = sorted({item.floor.source for item in compared.comparisons if item.floor is not None})
    return f". Noise floor: {'; '.join(found)}" if found else ""


def _provenance(row: Row) -> str:
    return row.measurement.provenance.value
