"""The sections of a report that decide: what was compared, both distributions, what to ship.

Every number leads to its evidence: a measurement's verdict, flags, facts and digests, at the end of the page.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from controller.analysis.importance import by_importance, most_important
from controller.model.comparison import Answer, Comparison
from controller.model.recommendation import ClassRecommendation, Configuration, Goals
from controller.model.report import ReportData
from controller.model.result import Estimate, Row
from controller.report.html import charts, page
from controller.report.html.order import arms
from controller.report.text import recommend as recommend_text
from controller.report.text.table import Table
from controller.report.text.words import number
from jetfleet.plural import counted

_TONE = {
    Answer.FASTER: "good",
    Answer.BETTER: "good",
    Answer.SAME: "same",
    Answer.SLOWER: "bad",
    Answer.WORSE: "bad",
}
_UNSURE = "unsure"
_MOST_PICTURES = 12
_MOST_LINES = 24
_MOST_ROWS = 40  # of a table that is not folded up
_REJECTED = "rejected"


def comparison(data: ReportData) -> Iterator[str]:
    """What was held against what, with every answer, and a picture of the differences."""
    compared = data.compared
    if compared is None or not compared.comparisons:
        return
    yield page.paragraph(f"Ratio of p50 over that of {compared.by.value} {compared.baseline}: below 1 is faster.")
    ordered = by_importance(compared.comparisons)
    yield page.tally(
        (f"{count} {answer.value}", _TONE.get(answer, _UNSURE))
        for answer, count in Counter(item.answer for item in ordered).items()
    )
    yield from _differences([item for item in ordered if item.ratio is not None and item.ratio.value is not None])
    made = page.table(
        ("what", "device", "p50 ms", "baseline ms", "ratio", "95 % interval", "answer", "why"),
        [_comparison_cells(item) for item in ordered],
        caption="Each against its baseline",
        right=frozenset({"p50 ms", "baseline ms", "ratio", "95 % interval"}),
    )
    yield (
        made
        if len(ordered) <= _MOST_ROWS
        else page.details(f"All {counted(len(ordered), 'comparison')}", made, key="compared")
    )


def _differences(found: Sequence[Comparison]) -> Iterator[str]:
    if not found:
        return
    shown = most_important(found, _MOST_LINES)
    title = "Differences with their 95 % intervals"
    rows = [_interval_row(item) for item in shown]
    caption = "A whisker is the 95 % interval of the ratio; on the dashed line both are equal."
    if len(found) > len(shown):
        caption += f" {len(shown)} of {len(found)}, the largest changes of each kind: the table has all."
    picture = charts.intervals(rows, words="p50 over the baseline's", zero=1.0, key="differences", title=title)
    yield page.figure(picture, caption)


def _interval_row(item: Comparison) -> charts.IntervalRow:
    ratio = item.ratio or Estimate(None)
    interval = "" if ratio.low is None or ratio.high is None else f", {ratio.low:.3f} to {ratio.high:.3f}"
    return charts.IntervalRow(
        name=f"{item.row.label} on {item.row.device}, job {item.row.job_id}",
        value=ratio.value or 1.0,
        low=ratio.low,
        high=ratio.high,
        tone=_TONE.get(item.answer, _UNSURE),
        note=f"{ratio.value or 1.0:.3f}{interval}, {item.answer.value}",
    )


def _comparison_cells(item: Comparison) -> tuple[str, ...]:
    ratio = item.ratio or Estimate(None)
    interval = "n/a" if ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
    return (
        page.toned(f"{item.row.label}, job {item.row.job_id}", ""),
        page.toned(item.row.device, ""),
        _evidence(item.row),
        "n/a" if item.baseline is None else _evidence(item.baseline),
        "n/a" if ratio.value is None else f"{ratio.value:.3f}",
        interval,
        page.toned(item.answer.value, _TONE.get(item.answer, _UNSURE)),
        page.toned("; ".join(filter(None, (item.reason, item.advice, *item.notes))), "quiet"),
    )


def _evidence(row: Row) -> str:
    """A p50 that leads to where it comes from."""
    return page.link(page.anchor(row.measurement_id), number(row.measurement.p50_ms.value))


def distributions(data: ReportData) -> Iterator[str]:
    """Both arms of each comparison; else all rows of a device."""
    for index, rows in enumerate(arms(data, _MOST_PICTURES)):
        curves = [
            charts.Curve(
                f"{row.label} on {row.device}, job {row.job_id}", found.values_ms, found.shares, found.run_medians_ms
            )
            for row in rows
            if (found := data.distributions[row.measurement_id]).values_ms
        ]
        if curves:
            title = "Distribution of latency: " + " and ".join(curve.name for curve in curves)
            picture = charts.distributions(curves, words="latency of one inference, ms", key=f"d{index}", title=title)
            yield page.figure(picture, "All samples of all runs; a mark below is the median of one fresh process.")


def recommendation(data: ReportData) -> Iterator[str]:
    """What to ship, per device class, and the Pareto front."""
    if data.recommended is None:
        return
    goals = data.recommended.goals
    yield page.paragraph(f"Asked for: {recommend_text.goals_line(goals)}.")
    for index, found in enumerate(data.recommended.classes):
        yield f"<h3>{page.toned(recommend_text.heading(found), '')}</h3>"
        yield page.paragraph(recommend_text.decision(found), "notice chosen" if found.winners else "notice")
        yield _front(found, goals, key=f"p{index}")
        yield from _ranking(found, goals, key=f"rejected{index}")


def _ranking(found: ClassRecommendation, goals: Goals, *, key: str) -> Iterator[str]:
    made = recommend_text.recommend_table(found, goals)
    ranked = [row for row in made.rows if row[0] != _REJECTED]
    rejected = [row for row in made.rows if row[0] == _REJECTED]
    if ranked:
        yield _variants(made, ranked, caption=f"Variants on {found.device_class}")
    yield page.bullets(recommend_text.remarks(found))
    if rejected:
        inside = _variants(made, rejected, caption=f"Rejected on {found.device_class}")
        inside += page.bullets(recommend_text.rejections(found))
        yield page.details(f"{counted(len(rejected), 'rejected variant')}, and why", inside, key=key)


def _variants(made: Table, rows: Sequence[Sequence[str]], *, caption: str) -> str:
    columns = tuple(name or "place" for name in made.columns)
    cells = [
        [
            _two_lines(cell) if name in made.right else page.toned(cell, "")
            for name, cell in zip(columns, row, strict=True)
        ]
        for row in rows
    ]
    return page.table(columns, cells, caption=caption, right=made.right)


def _two_lines(cell: str) -> str:
    """A value, and smaller below it its interval."""
    value, bracket, interval = cell.partition(" (")
    return page.toned(value, "") + (page.toned(interval.rstrip(")"), "quiet below") if bracket else "")


def _front(found: ClassRecommendation, goals: Goals, *, key: str) -> str:
    axes = tuple(dict.fromkeys((goals.objective, *found.pareto_axes)))
    if len(axes) < 2:
        return ""
    keeping = [*found.winners, *(item.configuration for item in found.runners_up)]
    front = set(map(id, found.pareto))
    points = [
        charts.Point(item.label, x, y, chosen=id(item) in front)
        for item in keeping
        if (x := _value(item, axes[0])) is not None and (y := _value(item, axes[1])) is not None
    ]
    title = f"{axes[1]} over {axes[0]} on {found.device_class}"
    picture = charts.points(points, x_words=axes[0], y_words=axes[1], key=key, title=title)
    named = ", ".join(found.pareto_axes)
    return page.figure(
        picture, f"What keeps the constraints. Filled: the Pareto front of {named}, which nobody beats in all."
    )


def _value(item: Configuration, name: str) -> float | None:
    return item.estimate(name).value
