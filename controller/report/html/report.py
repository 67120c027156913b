"""`report.html`: the whole page from what a report is made from."""

from controller.model.report import ReportData, ReportJob
from controller.model.result import VALID, Provenance
from controller.report.html import evidence, page, sections
from controller.report.html.history import history


def report_html(data: ReportData) -> str:
    """Offline, without a script; the sections that have nothing to show are left out."""
    body = "".join(
        page.section(title, parts, key=key)
        for title, key, parts in (
            ("Comparison", "comparison", sections.comparison(data)),
            ("Distributions", "distributions", sections.distributions(data)),
            ("Recommendation", "recommendation", sections.recommendation(data)),
            ("Fleet", "fleet", sections.fleet(data)),
            ("History with change points", "history", history(data)),
            ("Stages", "stages", sections.stages(data)),
            ("DLA placement", "dla-placement", sections.placements(data)),
            ("Telemetry", "telemetry", sections.telemetry(data)),
            ("Measurements", "measurements", evidence.measurements(data)),
        )
    )
    made = f"Made by jetfleet {data.version}, {data.made_at.isoformat(timespec='seconds')}."
    return page.page(data.title, header=_header(data), body=body, footer=page.paragraph(made))


def _header(data: ReportData) -> str:
    simulated = sum(row.measurement.provenance is Provenance.SIMULATED for row in data.rows)
    invalid = sum(row.measurement.verdict != VALID for row in data.rows)
    parts = [f"<h1>{page.toned(data.title, '')}</h1>", page.bullets(_job_line(job) for job in data.jobs)]
    if simulated:
        words = f"{simulated} of {len(data.rows)} rows are SIMULATED: made-up numbers, not measurements."
        parts.append(page.paragraph(words, "notice"))
    if invalid:
        words = f"{invalid} of {len(data.rows)} measurements are not VALID; they are shown, and decide nothing."
        parts.append(page.paragraph(words, "notice"))
    return "".join(parts)


def _job_line(job: ReportJob) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(job.labels.items()))
    by = f", submitted by {job.submitted_by}" if job.submitted_by else ""
    told = f" ({labels})" if labels else ""
    return f"job {job.id} {job.name}, {job.state}, {job.created_at.isoformat(timespec='minutes')}{by}{told}"
