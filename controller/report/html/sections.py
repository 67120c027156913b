"""The sections of a report, from rows and decisions to tables and pictures; comparison first.

Every number leads to its evidence: a measurement's verdict, flags, facts and digests, at the end of the page.
"""

from collections.abc import Iterator, Sequence

from controller.model.comparison import Answer, Comparison
from controller.model.recommendation import ClassRecommendation, Configuration, Goals
from controller.model.report import ReportData
from controller.model.result import VALID, Estimate, Row
from controller.report.html import charts, page
from controller.report.text import recommend as recommend_text
from controller.report.text.words import number

_TONE = {
    Answer.FASTER: "good",
    Answer.BETTER: "good",
    Answer.SAME: "good",
    Answer.SLOWER: "bad",
    Answer.WORSE: "bad",
}
_MOST_PICTURES = 12
_MOST_LINES = 60
_STAGES = ("pre", "h2d", "compute", "d2h", "post", "residual")


def comparison(data: ReportData) -> Iterator[str]:
    """What was held against what, with every answer, and a picture of the differences."""
    compared = data.compared
    if compared is None or not compared.comparisons:
        return
    yield page.paragraph(f"Ratio of p50 over that of {compared.by.value} {compared.baseline}: below 1 is faster.")
    found = [item for item in compared.comparisons if item.ratio is not None and item.ratio.value is not None]
    if found:
        rows = [_interval_row(item) for item in found[:_MOST_LINES]]
        title = "Differences with their 95 % intervals"
        yield page.figure(
            charts.intervals(rows, words="p50 over the baseline's", zero=1.0, key="differences", title=title),
            "A whisker is the 95 % interval of the ratio; on the dashed line both are equal."
            + (f" The first {_MOST_LINES} of {len(found)}: the table has all." if len(found) > _MOST_LINES else ""),
        )
    yield page.table(
        ("what", "device", "p50 ms", "baseline ms", "ratio", "95 % interval", "answer", "why"),
        [_comparison_cells(item) for item in compared.comparisons],
        caption="Each against its baseline",
        right=frozenset({"p50 ms", "baseline ms", "ratio", "95 % interval"}),
    )


def _interval_row(item: Comparison) -> charts.IntervalRow:
    ratio = item.ratio or Estimate(None)
    interval = "" if ratio.low is None or ratio.high is None else f", {ratio.low:.3f} to {ratio.high:.3f}"
    return charts.IntervalRow(
        name=f"{item.row.label} on {item.row.device}, job {item.row.job_id}",
        value=ratio.value or 1.0,
        low=ratio.low,
        high=ratio.high,
        tone=_TONE.get(item.answer, "unsure"),
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
        page.toned(item.answer.value, _TONE.get(item.answer, "unsure")),
        page.toned("; ".join(filter(None, (item.reason, item.advice, *item.notes))), "quiet"),
    )


def _evidence(row: Row) -> str:
    """A p50 that leads to where it comes from."""
    return page.link(_anchor(row), number(row.measurement.p50_ms.value))


def _anchor(row: Row) -> str:
    return f"m{row.measurement_id}"


def distributions(data: ReportData) -> Iterator[str]:
    """Both arms of each comparison; else all rows of a device."""
    for index, rows in enumerate(_arms(data)[:_MOST_PICTURES]):
        curves = [
            charts.Curve(
                f"{row.label} on {row.device}, job {row.job_id}", found.values_ms, found.shares, found.run_medians_ms
            )
            for row in rows
            if (found := data.distributions.get(row.measurement_id)) is not None and found.values_ms
        ]
        if curves:
            title = "Distribution of latency: " + " and ".join(curve.name for curve in curves)
            picture = charts.distributions(curves, words="latency of one inference, ms", key=f"d{index}", title=title)
            yield page.figure(picture, "All samples of all runs; a mark below is the median of one fresh process.")


def _arms(data: ReportData) -> list[Sequence[Row]]:
    pairs = [
        (item.baseline, item.row)
        for item in (data.compared.comparisons if data.compared else ())
        if item.baseline is not None
    ]
    if pairs:
        return list(pairs)
    devices = sorted({row.device for row in data.rows})
    return [[row for row in data.rows if row.device == device][:4] for device in devices]


def recommendation(data: ReportData) -> Iterator[str]:
    """What to ship, per device class, and the Pareto front."""
    if data.recommended is None:
        return
    goals = data.recommended.goals
    yield page.paragraph(recommend_text.goals_line(goals))
    for index, found in enumerate(data.recommended.classes):
        yield f"<h3>{page.toned(recommend_text.heading(found), '')}</h3>"
        made = recommend_text.recommend_table(found, goals)
        if made.rows:
            columns = tuple(name or "place" for name in made.columns)
            rows = [[page.toned(cell, "") for cell in row] for row in made.rows]
            yield page.table(columns, rows, caption=f"Variants on {found.device_class}", right=made.right)
        yield page.bullets(recommend_text.why(found))
        yield _front(found, goals, key=f"p{index}")


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
    return page.figure(picture, "Filled: nobody beats it in everything that was measured.")


def _value(item: Configuration, name: str) -> float | None:
    return item.estimate(name).value


def stages(data: ReportData) -> Iterator[str]:
    """Where the time of one inference goes."""
    rows = [
        charts.Stack(f"{row.label} on {row.device}", parts)
        for row in data.rows
        if row.measurement.verdict == VALID and len(parts := _stage_means(row)) > 1
    ]
    for begin in range(0, min(len(rows), 40), 20):
        picture = charts.stacks(
            rows[begin : begin + 20], words="mean ms of one inference", key=f"s{begin}", title="Stages"
        )
        yield page.figure(picture, "Means add up, medians do not. The residual is what no stage accounts for.")


def _stage_means(row: Row) -> dict[str, float]:
    found = ((stage, row.measurement.value(f"{stage}_mean_ms")) for stage in _STAGES)
    return {stage: value for stage, value in found if value is not None and value > 0}


def fleet(data: ReportData) -> Iterator[str]:
    """Variants by boards; shades are within a line, so that it says which board is slow."""
    devices = sorted({row.device for row in data.rows})
    variants = sorted({row.label for row in data.rows})
    if len(devices) < 2:
        return
    newest = {(row.label, row.device): row for row in sorted(data.rows, key=lambda row: row.measurement_id)}
    lines = []
    for variant in variants:
        here = {device: newest.get((variant, device)) for device in devices}
        known = [row.measurement.p50_ms.value for row in here.values() if row and row.measurement.p50_ms.value]
        best = min(known, default=None)
        lines.append((page.toned(variant, ""), *(_heat(here[device], best) for device in devices)))
    yield page.table(
        ("variant", *devices), lines, caption="p50 ms, and how far behind the fastest board", right=frozenset(devices)
    )


def _heat(row: Row | None, best: float | None) -> str:
    if row is None:
        return "n/a"
    value = row.measurement.p50_ms.value
    words = _evidence(row)
    if row.measurement.verdict != VALID:
        return f"{words} {page.toned(row.measurement.verdict, 'unsure')}"
    if value is None or not best or value <= best:
        return words
    return f"{words} {page.toned(f'+{value / best - 1:.0%}', 'bad' if value > 1.1 * best else 'quiet')}"


def placements(data: ReportData) -> Iterator[str]:
    """Where the layers of engines run that asked for a DLA."""
    rows = [
        charts.Stack(label, {"on the DLA": float(found.layers_on_dla), "on the GPU": float(found.layers_on_gpu)})
        for key, found in sorted(data.placements.items())
        for label in sorted({row.label for row in data.rows if row.engine_key == key})[:1]
    ]
    if rows:
        picture = charts.stacks(rows, words="layers", key="dla", title="Layers on the DLA and on the GPU")
        yield page.figure(picture, "A layer that the DLA does not take falls back to the GPU.")


def telemetry(data: ReportData) -> Iterator[str]:
    """What the sensors said while a number was taken."""
    by_id = {row.measurement_id: row for row in data.rows}
    for index, (number_, found) in enumerate(sorted(data.telemetry.items())[:_MOST_PICTURES]):
        tracks = [charts.Track(item.channel, item.unit, item.seconds, item.values) for item in found if item.seconds]
        if tracks and number_ in by_id:
            row = by_id[number_]
            title = f"Telemetry of {row.label} on {row.device}, job {row.job_id}"
            yield page.figure(charts.tracks(tracks[:8], key=f"t{index}", title=title), title)
