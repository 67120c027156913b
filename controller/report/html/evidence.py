"""Where every number comes from: one fold per measurement with its verdict, flags, facts and digests."""

from collections.abc import Iterator

from controller.model.facts import shown
from controller.model.report import ReportData
from controller.model.result import VALID, Row
from controller.report.html import page
from controller.report.text.words import estimate, number, sample_size
from jetfleet.metrics import METRICS
from jetfleet.plural import counted


def measurements(data: ReportData) -> Iterator[str]:
    yield page.table(
        ("measurement", "job", "variant", "device", "provenance", "p50 ms", "p99 ms", "per s", "verdict"),
        [_cells(row) for row in data.rows],
        caption="All measurements; the number leads to its evidence",
        right=frozenset({"job", "p50 ms", "p99 ms", "per s"}),
    )
    yield "<h3>Evidence</h3>"
    for row in data.rows:
        yield _fold(row)


def _cells(row: Row) -> tuple[str, ...]:
    item = row.measurement
    return (
        page.link(page.anchor(row.measurement_id), str(row.measurement_id)),
        str(row.job_id),
        page.toned(row.label, ""),
        page.toned(row.device, ""),
        item.provenance.value,
        estimate(item.promised("p50_ms"), n=item.n),
        estimate(item.promised("p99_ms"), n=sample_size(item)),
        number(item.value("throughput_per_s")),
        page.toned(item.verdict, "good" if item.verdict == VALID else "bad"),
    )


def _fold(row: Row) -> str:
    item = row.measurement
    flags = [f"{flag.kind.value}: {flag.evidence}" for flag in item.flags] or ["no flags"]
    checks = [f"output {check.tensor}: {'right' if check.passed else 'WRONG'}, {check.detail}" for check in item.checks]
    values = [
        (metric.name, f"{number(value)} {metric.unit}")
        for metric in METRICS
        if (value := item.value(metric.name)) is not None
    ]
    about = [
        ("model", row.model_name),
        ("graph", row.model_sha256),
        ("engine", row.engine_key),
        ("samples", ", ".join(file.sha256 for file in item.sample_files)),
        ("runtime", f"{row.runtime} {row.runtime_version}"),
        ("measured", row.measured_at.isoformat(timespec="seconds")),
        ("n", f"{counted(item.n, 'inference')} in {item.window_s:.3g} s, {counted(item.processes, 'process')}"),
    ]
    facts = [(name, shown(value)) for name, value in sorted(row.facts.items())]
    circumstances = sorted(item.circumstances.items())
    inside = (
        page.bullets([*flags, *checks])
        + page.definitions(about)
        + "<h4>Metrics</h4>"
        + page.definitions(values)
        + "<h4>Circumstances</h4>"
        + page.definitions([*circumstances, *facts])
    )
    summary = f"{row.measurement_id}: {row.label} on {row.device}, job {row.job_id}: {item.verdict}"
    return page.details(summary, inside, key=page.anchor(row.measurement_id))
