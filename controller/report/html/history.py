"""The history of a report's rows: the metric over all jobs, a dashed line wherever it changed."""

from collections.abc import Iterator

from controller.model.history import History
from controller.model.report import ReportData
from controller.model.result import VALID
from controller.report.html import page, svg
from controller.report.html.charts import WIDTH
from controller.report.html.svg import Scale
from controller.report.text.history import history_heading, history_notes

_HEIGHT = 190.0
_MOST_PICTURES = 12
_FEWEST = 2  # points: one is no history
_LEAST_SPAN = 0.1  # of the level: what is less than that is drawn as little
_MOST_JOBS = 12  # named below the picture


def history(data: ReportData) -> Iterator[str]:
    """Those that changed first; numbers of other jobs than the report's are in the pictures alone."""
    shown = [item for item in data.histories if len(_valued(item)) >= _FEWEST]
    ordered = sorted(shown, key=lambda item: (not item.changes, not item.alarm))
    for index, found in enumerate(ordered[:_MOST_PICTURES]):
        yield f"<h3>{page.toned(history_heading(found), '')}</h3>"
        yield page.bullets(history_notes(found))
        yield page.figure(_picture(found, key=f"h{index}"), "One mark per measurement, hollow where it is not VALID.")
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
    across = Scale(0.0, float(max(1, len(points) - 1)), 76, WIDTH - 40)
    up = Scale(*_span([value for value, *_ in points]), _HEIGHT, 24)
    begins = {item.first.row.measurement_id for item in found.changes}
    body = [svg.left_axis(up, 60, found.metric), svg.line(60, _HEIGHT, WIDTH - 24, _HEIGHT, "axis")]
    body.append(svg.curve([(across(float(x)), up(value)) for x, (value, *_) in enumerate(points)], "curve s0"))
    step = -(-len(points) // _MOST_JOBS)
    for x, (value, words, is_valid, number) in enumerate(points):
        here = across(float(x))
        if number in begins:
            middle = across(x - 0.5)
            body.append(svg.line(middle, 24, middle, _HEIGHT, "zero"))
        if x % step == 0:
            body.append(svg.text(here, _HEIGHT + 16, words.partition(",")[0].partition(":")[0], anchor="middle"))
        body.append(svg.circle(here, up(value), 4, "dot good" if is_valid else "dot rest", title=words))
    told = "; ".join([*(words for _, words, _, _ in points[-20:]), *history_notes(found)])
    return svg.picture(WIDTH, _HEIGHT + 24, "".join(body), title=history_heading(found), description=told, key=key)


def _span(values: list[float]) -> tuple[float, float]:
    """Noise of half a percent shall not look like a mountain."""
    low, high = svg.span(values, room=0.08)
    missing = max(0.0, _LEAST_SPAN * max(map(abs, values)) - (high - low))
    return low - missing / 2, high + missing / 2
