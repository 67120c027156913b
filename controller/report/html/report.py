"""`report.html`: the whole page from what a report is made from."""

from datetime import datetime, timezone

from controller.model.report import ReportData, ReportJob
from controller.model.result import VALID, Provenance
from controller.report.html import evidence, measured, page, sections
from controller.report.html.history import history
from controller.report.text.words import made_up
from jetfleet.plural import are, counted


def report_html(data: ReportData) -> str:
    """Offline, without a script; the sections that have nothing to show are left out."""
    made = {
        (key, title): page.section(title, parts, key=key)
        for key, title, parts in (
            ("comparison", "Comparison", sections.comparison(data)),
            ("distributions", "Distributions", sections.distributions(data)),
            ("recommendation", "Recommendation", sections.recommendation(data)),
            ("fleet", "Fleet", measured.fleet(data)),
            ("history", "History with change points", history(data)),
            ("stages", "Stages", measured.stages(data)),
            ("dla-placement", "DLA placement", measured.placements(data)),
            ("telemetry", "Telemetry", measured.telemetry(data)),
            ("measurements", "Measurements", evidence.measurements(data)),
        )
    }
    links = page.navigation(place for place, section in made.items() if section)
    footer = page.paragraph(f"Made by jetfleet {data.version}, {_minute(data.made_at)}.")
    return page.page(data.title, header=_header(data) + links, body="".join(made.values()), footer=footer)


def _header(data: ReportData) -> str:
    simulated = sum(row.measurement.provenance is Provenance.SIMULATED for row in data.rows)
    invalid = sum(row.measurement.verdict != VALID for row in data.rows)
    parts = [f"<h1>{page.toned(data.title, '')}</h1>", page.bullets(_job_line(job) for job in data.jobs)]
    counts = (
        counted(len(data.rows), "measurement"),
        counted(len({row.label for row in data.rows}), "variant"),
        counted(len({row.device for row in data.rows}), "board"),
    )
    parts.append(page.paragraph(", ".join(counts)))
    if simulated:
        words = f"{made_up(simulated, len(data.rows))}."
        parts.append(page.paragraph(words, "notice"))
    if invalid:
        of = counted(len(data.rows), "measurement")
        words = f"{invalid} of {of} {are(invalid)} not VALID; such a one is shown, and decides nothing."
        parts.append(page.paragraph(words, "notice"))
    return "".join(parts)


def _job_line(job: ReportJob) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(job.labels.items()))
    by = f", submitted by {job.submitted_by}" if job.submitted_by else ""
    told = f" ({labels})" if labels else ""
    return f"job {job.id} {job.name}, {job.state}, {_minute(job.created_at)}{by}{told}"


def _minute(when: datetime) -> str:
    """In one time zone for every reader: the page is passed on."""
    return f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
