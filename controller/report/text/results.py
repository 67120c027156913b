"""Results for people and for spreadsheets: every number with its interval, its provenance and its verdict."""

from collections.abc import Iterator, Sequence

from controller.model.facts import shown
from controller.model.result import Estimate, Flag, FlagKind, Measurement, Provenance, Row
from controller.report.text.table import Table
from controller.report.text.words import UNKNOWN, estimate, number, one_line
from jetfleet.placement import Placement

_CSV_FACTS = ("arch", "cpu_model", "module", "sku", "l4t", "jetpack", "cuda", "gpu", "power_mode")


def results_table(rows: Sequence[Row]) -> Table:
    return Table(
        columns=(
            "job",
            "variant",
            "device",
            "provenance",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "per s",
            "accuracy",
            "verdict",
        ),
        rows=[_cells(row) for row in rows],
        right=frozenset({"job", "p50 ms", "p90 ms", "p99 ms", "per s"}),
        folding=frozenset({"variant", "verdict"}),
        empty="no results",
    )


def evidence(rows: Sequence[Row]) -> Iterator[str]:
    """Below the table, each once: why a row may not be trusted, and why a figure is missing."""
    of_wholes = {_run(row): row.measurement.flags for row in rows if row.measurement.subject_index is None}
    about_wholes: dict[str, None] = {}
    for row in rows:
        where = one_line(f"job {row.job_id}, {row.label} on {row.device}")
        item = row.measurement
        is_whole = item.subject_index is None
        for flag in item.flags:
            if is_whole or not _is_told(flag, of_wholes.get(_run(row), ())):
                yield f"{where}: {flag.kind.value}: {one_line(flag.evidence) or 'no evidence given'}"
        for reason, names in _missing(item).items():
            if is_whole:
                about_wholes[f"whole tasks: no {', '.join(names)}: {reason}"] = None
            else:
                yield f"{where}: no {', '.join(names)}: {reason}"
    yield from about_wholes
    simulated = sum(row.measurement.provenance is Provenance.SIMULATED for row in rows)
    if simulated:
        yield f"{simulated} of {len(rows)} rows are SIMULATED: made-up numbers, not measurements"


def _run(row: Row) -> tuple[object, ...]:
    """What the rows of subjects that were measured together, and of their whole, have in common, and no other row.

    They are committed at once, one after the other, the whole as the last: so the number of the first is theirs.
    """
    index = row.measurement.subject_index
    before = len(Placement(row.placement).parts) if index is None else index
    return row.job_id, row.variant_key, row.device, row.measurement_id - before


def _is_told(flag: Flag, of_whole: Sequence[Flag]) -> bool:
    """A whole bears its subjects' flags, with the subjects named before the evidence."""
    return any(other.kind is flag.kind and other.evidence.endswith(flag.evidence) for other in of_whole)


def _missing(item: Measurement) -> dict[str, list[str]]:
    """The figures that are not there, by why."""
    found: dict[str, list[str]] = {}
    for name, figure in (("p50", item.p50_ms), ("p90", item.p90_ms), ("p99", item.p99_ms)):
        if figure.value is None:
            found.setdefault(one_line(figure.reason) or UNKNOWN, []).append(name)
    return found


def csv_table(rows: Sequence[Row]) -> Table:
    """One line per measurement. Empty cells are unknown; columns are only ever added at the end."""
    columns = (
        *("measurement_id", "job_id", "job_name", "model", "variant", "device", "runtime", "runtime_version"),
        *("precision", "batch", "placement", "engine_key", "measured_at", "provenance", "verdict", "flags", "n"),
        *("p50_ms", "p50_low_ms", "p50_high_ms", "p90_ms", "p90_low_ms", "p90_high_ms"),
        *("p99_ms", "p99_low_ms", "p99_high_ms", "mean_ms", "std_ms", "min_ms", "max_ms"),
        *("throughput_per_s", "accuracy", "accuracy_n", "window_s", "processes"),
        *_CSV_FACTS,
        *("subject_index", "schedule", "mode", "lowering", "dla_time_share", "p50_reason"),
    )
    return Table(columns=columns, rows=[_csv_cells(row) for row in rows])


def _cells(row: Row) -> tuple[str, ...]:
    item = row.measurement
    return (
        str(row.job_id),
        row.label,
        row.device,
        item.provenance.value,
        estimate(item.p50_ms, n=item.n),
        _value_of(item.p90_ms, n=item.n),
        _value_of(item.p99_ms, n=item.n),
        number(item.throughput_per_s),
        _accuracy(item),
        _verdict(item),
    )


def _value_of(item: Estimate, *, n: int) -> str:
    return estimate(Estimate(item.value), n=n)


def _accuracy(item: Measurement) -> str:
    return UNKNOWN if item.accuracy is None else f"{item.accuracy:.4f} (n={item.accuracy_n})"


def _verdict(item: Measurement) -> str:
    """The worst flag first, then the others."""
    worst = item.verdict
    others = sorted({flag.kind.value for flag in item.flags} - {worst})
    return ", ".join([worst, *others])


def _csv_cells(row: Row) -> tuple[str, ...]:
    item = row.measurement
    figures: list[float | int | None] = [item.n]
    for figure in (item.p50_ms, item.p90_ms, item.p99_ms):
        figures += [figure.value, figure.low, figure.high]
    figures += [item.mean_ms, item.std_ms, item.min_ms, item.max_ms, item.throughput_per_s]
    figures += [item.accuracy, item.accuracy_n, item.window_s, item.processes]
    words = (
        *(str(row.measurement_id), str(row.job_id), row.job_name, row.model_name, row.variant_key, row.device),
        *(row.runtime, row.runtime_version, row.precision.value, str(row.batch), row.placement, row.engine_key),
        *(row.measured_at.isoformat(), item.provenance.value, item.verdict),
        " ".join(flag.kind.value for flag in item.flags),
    )
    facts = ("" if row.facts.get(key) is None else shown(row.facts[key]) for key in _CSV_FACTS)
    manner = (
        *("" if item.subject_index is None else str(item.subject_index), row.schedule.value, row.mode.value),
        *(row.lowering.value if row.lowering else "", "" if item.dla_time_share is None else repr(item.dla_time_share)),
        item.p50_ms.reason,
    )
    return (*words, *("" if figure is None else repr(figure) for figure in figures), *facts, *manner)


def wrong_outputs(rows: Sequence[Row]) -> list[Row]:
    """Measurements of something that computes the wrong thing: a job that has one did not do what was asked."""
    return [row for row in rows if any(flag.kind is FlagKind.WRONG_OUTPUT for flag in row.measurement.flags)]
