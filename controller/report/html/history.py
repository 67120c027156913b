"""The history of a report's rows: the metric over all jobs, a dashed line wherever it changed."""

from collections.abc import Iterator

from controller.model.history import History
from controller.model.report import ReportData
from controller.model.result import VALID
from controller.report.html import page, svg
from controller.report.html.svg import Scale
from controller.report.text.history import history_heading, history_notes

_WIDTH, _HEIGHT = 760.0, 200.0
_MOST_PICTURES = 12
_FEWEST = 2  # points: one is no history


def history(data: ReportData) -> Iterator[str]:
    """Those that changed first; numbers of other jobs than the report's are in the pictures alone."""
    shown = [item for item in data.histories if len(_valued(item)) >= _FEWEST]
    ordered = sorted(shown, key=lambda item: (not item.changes, not item.alarm))
    for index, found in enumerate(ordered[:_MOST_PICTURES]):
        yield page.figure(_picture(found, key=f"h{index}"), "One mark per measurement, hollow where it is not VALID.")
        yield page.bullets(history_notes(found))
    if len(ordered) > _MOST_PICTURES:
        yield page.paragraph(f"{len(ordered) - _MOST_PICTURES} more: controller history VARIANT")


def _valued(found: History) -> list[tuple[float, str, bool, int]]:
    return [
        (point.value, _words(found, place), point.row.measurement.verdict == VALID, point.row.measurement_id)
        for place, point in enumerate(found.points)
        if point.value is not None
    ]


def _words(found: History, place: int) -> str:
    point = found.points[place]
    commit = f", commit {point.commit[:12]}" if point.commit else ""
    return f"job {point.row.job_id}{commit}: {point.value or 0:.4g}"


def _picture(found: History, *, key: str) -> str:
    points = _valued(found)
    across = Scale(0.0, float(max(1, len(points) - 1)), 76, _WIDTH - 24)
    up = Scale(*svg.span([value for value, *_ in points]), _HEIGHT, 16)
    begins = {item.first.row.measurement_id for item in found.changes}
    body = [svg.left_axis(up, 70, found.metric)]
    body.append(svg.curve([(across(float(x)), up(value)) for x, (value, *_) in enumerate(points)], "curve s0"))
    for x, (value, words, is_valid, number) in enumerate(points):
        if number in begins:
            middle = across(x - 0.5)
            body.append(svg.line(middle, 10, middle, _HEIGHT, "zero"))
        body.append(svg.circle(across(float(x)), up(value), 4, "dot good" if is_valid else "dot rest", title=words))
    told = "; ".join([*(words for _, words, _, _ in points[-20:]), *history_notes(found)])
    return svg.picture(_WIDTH, _HEIGHT + 12, "".join(body), title=history_heading(found), description=told, key=key)
