"""Comparisons for people and programs: each row against its baseline, the answer, and below the table every why."""

from collections.abc import Iterator
from typing import Any

from controller.model.comparison import Answer, Compared, Comparison, Floor, Spread
from controller.model.result import VALID, Estimate, Provenance, Row
from controller.report.text.table import Table
from controller.report.text.words import estimate, number, one_line

_NONE = "n/a"
# Their answer needs no explanation beside the noise floor, which is said once.
_PLAIN = frozenset({Answer.FASTER, Answer.SLOWER, Answer.SAME})
_EMPTY = "nothing to compare: these results hold one {by} only, {baseline}"


def compare_table(compared: Compared) -> Table:
    return Table(
        columns=("job", "variant", "device", "provenance", "p50 ms", "baseline ms", "ratio", "95 % interval", "answer"),
        rows=[_cells(item) for item in compared.comparisons],
        right=frozenset({"job", "p50 ms", "baseline ms", "ratio"}),
        folding=frozenset({"variant", "answer"}),
        empty=_EMPTY.format(by=compared.by.value, baseline=compared.baseline) if compared.baseline else "no results",
    )


def why(compared: Compared) -> Iterator[str]:
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


def spread_table(compared: Compared) -> Table:
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


def csv_table(compared: Compared) -> Table:
    """One line per comparison. Empty cells are unknown; columns are only ever added at the end."""
    columns = (
        *("by", "baseline", "job_id", "model", "variant", "device", "provenance", "verdict", "measurement_id"),
        *("baseline_measurement_id", "p50_ms", "baseline_p50_ms", "ratio", "ratio_low", "ratio_high"),
        *("noise_floor", "noise_floor_source", "answer", "reason", "notes", "schedule", "subject_index"),
    )
    return Table(columns=columns, rows=[_csv_cells(compared, item) for item in compared.comparisons])


def compared_record(compared: Compared) -> dict[str, Any]:
    """The document {"compared": ...} of `--json`: see controller/record/records.py for its manners."""
    return {
        "by": compared.by.value,
        "baseline": compared.baseline or None,
        "comparisons": [_comparison_record(item) for item in compared.comparisons],
        "spreads": [_spread_record(item) for item in compared.spreads],
    }


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


def _floors(compared: Compared) -> str:
    found = sorted({item.floor.source for item in compared.comparisons if item.floor is not None})
    return f". Noise floor: {'; '.join(found)}" if found else ""


def _provenance(row: Row) -> str:
    return row.measurement.provenance.value


def _csv_cells(compared: Compared, item: Comparison) -> tuple[str, ...]:
    row, base = item.row, item.baseline
    ratio = item.ratio or Estimate(None)
    figures = (
        row.measurement.p50_ms.value,
        base.measurement.p50_ms.value if base else None,
        ratio.value,
        ratio.low,
        ratio.high,
        item.floor.share if item.floor else None,
    )
    return (
        *(compared.by.value, compared.baseline, str(row.job_id), row.model_name, row.variant_key, row.device),
        *(_provenance(row), row.measurement.verdict, str(row.measurement_id), str(base.measurement_id) if base else ""),
        *("" if figure is None else repr(figure) for figure in figures),
        *(item.floor.source if item.floor else "", item.answer.value, item.reason, "; ".join(item.notes)),
        *(row.schedule.value, "" if (index := row.measurement.subject_index) is None else str(index)),
    )


def _comparison_record(item: Comparison) -> dict[str, Any]:
    return {
        "answer": item.answer.value,
        "reason": item.reason,
        "notes": list(item.notes),
        "ratio": item.ratio and _estimate_record(item.ratio),
        "noise_floor": item.floor and _floor_record(item.floor),
        "row": _row_record(item.row),
        "baseline": item.baseline and _row_record(item.baseline),
    }


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "measurement_id": row.measurement_id,
        "job_id": row.job_id,
        "model": row.model_name,
        "variant": row.variant_key,
        "device": row.device,
        "provenance": _provenance(row),
        "verdict": row.measurement.verdict,
        "measured_at": row.measured_at.isoformat(),
        "p50_ms": row.measurement.p50_ms.value,
        "schedule": row.schedule.value,
        "subject_index": row.measurement.subject_index,
    }


def _estimate_record(item: Estimate) -> dict[str, Any]:
    return {"value": item.value, "low": item.low, "high": item.high, "reason": item.reason or None}


def _floor_record(item: Floor) -> dict[str, Any]:
    return {"share": item.share, "source": item.source}


def _spread_record(item: Spread) -> dict[str, Any]:
    return {
        "model": item.model_name,
        "variant": item.variant_key,
        "label": item.label,
        "provenance": item.provenance.value,
        "p50_ms": dict(item.p50_ms),
        "min_ms": item.min_ms,
        "median_ms": item.median_ms,
        "max_ms": item.max_ms,
        "relative": item.relative,
        "outliers": list(item.outliers),
        "reason": item.reason,
    }
