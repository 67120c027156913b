"""A report as Markdown: the tables of its HTML twin, for a page of a pull request or a wiki."""

import io
from collections.abc import Iterator

from controller.model.recommendation import RecommendationReport
from controller.model.report import ReportData
from controller.model.result import Provenance
from controller.report.text import compare as compare_text
from controller.report.text import recommend as recommend_text
from controller.report.text.results import results_table
from controller.report.text.table import Table, markdown_text, print_markdown


def report_markdown(data: ReportData) -> str:
    return "\n".join(_lines(data)) + "\n"


def _lines(data: ReportData) -> Iterator[str]:
    yield f"# {markdown_text(data.title)}"
    yield ""
    for job in data.jobs:
        yield f"- job {job.id} {markdown_text(job.name)}, {job.state}, {job.created_at.isoformat(timespec='minutes')}"
    if any(row.measurement.provenance is Provenance.SIMULATED for row in data.rows):
        yield ""
        yield "**Some rows are SIMULATED: made-up numbers, not measurements.**"
    if data.compared is not None and data.compared.comparisons:
        yield from _section("Comparison", compare_text.compare_table(data.compared), compare_text.why(data.compared))
    if data.recommended is not None:
        yield from _recommended(data.recommended)
    yield from _section("Measurements", results_table(data.rows), ())
    yield ""
    yield f"Made by jetfleet {data.version}, {data.made_at.isoformat(timespec='seconds')}."


def _recommended(report: RecommendationReport) -> Iterator[str]:
    yield ""
    yield f"Recommendation by: {markdown_text(recommend_text.goals_line(report.goals))}."
    for found in report.classes:
        title = f"Recommendation: {recommend_text.heading(found)}"
        yield from _section(title, recommend_text.recommend_table(found, report.goals), recommend_text.why(found))


def _section(title: str, table: Table, notes: "Iterator[str] | tuple[str, ...]") -> Iterator[str]:
    out = io.StringIO()
    print_markdown(table, out=out)
    yield ""
    yield f"## {markdown_text(title)}"
    yield ""
    yield out.getvalue().rstrip()
    said = list(notes)
    if said:
        yield ""
    yield from (f"- {markdown_text(line)}" for line in said)
