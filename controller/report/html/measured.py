"""The sections of a report that show what was measured: boards beside each other, stages, layers, sensors."""

from collections.abc import Iterator
from itertools import islice

from controller.model.natural import natural
from controller.model.report import ReportData
from controller.model.result import VALID, Row
from controller.report.html import charts, page
from controller.report.html.order import newest
from controller.report.text.words import number
from jetfleet.plural import counted

_MOST_PICTURES = 12
_MOST_BARS = 20
_STAGES = ("pre", "h2d", "compute", "d2h", "post", "residual")
_SHADES = (0.02, 0.05, 0.10, 0.20)  # from how far behind the fastest board on a cell has the next shade


def fleet(data: ReportData) -> Iterator[str]:
    """Variants by boards; shades are within a line, so that it says which board is slow."""
    rows = {(row.label, row.device): row for row in newest(data.rows)}
    devices = sorted({device for _, device in rows}, key=natural)
    if len(devices) < 2:
        return
    lines = []
    for variant in dict.fromkeys(variant for variant, _ in rows):
        here = {device: rows.get((variant, device)) for device in devices}
        known = [row.measurement.p50_ms.value for row in here.values() if row and row.measurement.p50_ms.value]
        best = min(known, default=None)
        lines.append((page.toned(variant, ""), *(_heat(here[device], best) for device in devices)))
    caption = "p50 ms of the newest measurement; shaded by how far behind the fastest board of its line"
    yield page.table(("variant", *devices), lines, caption=caption, right=frozenset(devices))


def _heat(row: Row | None, best: float | None) -> str:
    if row is None:
        return page.toned("n/a", "quiet")
    value = row.measurement.p50_ms.value
    words = page.link(page.anchor(row.measurement_id), number(value))
    if row.measurement.verdict != VALID:
        return page.shaded(words, row.measurement.verdict, shade=0)
    if value is None or not best:
        return words
    behind = value / best - 1
    shade = sum(behind >= least for least in _SHADES)
    return page.shaded(words, f"+{behind:.0%}" if behind >= 0.005 else "", shade=shade)


def stages(data: ReportData) -> Iterator[str]:
    """Where the time of one inference goes."""
    found = ((row, _stage_means(row)) for row in newest(data.rows) if row.measurement.verdict == VALID)
    rows = [
        charts.Stack(f"{row.label} on {row.device}", parts, f"{number(sum(parts.values()))} ms")
        for row, parts in found
        if len(parts) > 1
    ]
    if not rows:
        return
    words = "% of the mean time of one inference"
    picture = charts.stacks(rows[:_MOST_BARS], words=words, key="stages-1", title="Stages")
    caption = "Means add up, medians do not. The residual is what no stage accounts for."
    yield page.figure(picture, caption)
    more = rows[_MOST_BARS : 5 * _MOST_BARS]
    parts = [more[begin : begin + _MOST_BARS] for begin in range(0, len(more), _MOST_BARS)]
    pictures = [
        charts.stacks(part, words=words, key=f"stages-{index}", title="Stages, continued")
        for index, part in enumerate(parts, 2)
    ]
    if pictures:
        inside = "".join(page.figure(picture, caption) for picture in pictures)
        yield page.details(f"{counted(len(more), 'more variant')} and boards", inside, key="more-stages")


def _stage_means(row: Row) -> dict[str, float]:
    found = ((stage, row.measurement.value(f"{stage}_mean_ms")) for stage in _STAGES)
    return {stage: value for stage, value in found if value is not None and value > 0}


def placements(data: ReportData) -> Iterator[str]:
    """Where the layers of engines run that asked for a DLA."""
    labels = {row.engine_key: row.label for row in newest(data.rows)}
    rows = [
        charts.Stack(
            labels[key],
            {"on the DLA": float(found.layers_on_dla), "on the GPU": float(found.layers_on_gpu)},
            f"{found.layers_on_dla} of {found.layers_on_dla + found.layers_on_gpu}",
        )
        for key, found in sorted(data.placements.items(), key=lambda item: natural(labels.get(item[0], "")))
        if key in labels
    ]
    if rows:
        picture = charts.stacks(rows, words="% of the layers", key="dla", title="Layers on the DLA and on the GPU")
        yield page.figure(picture, "Beside each bar: layers on the DLA. What it does not take falls back to the GPU.")


def telemetry(data: ReportData) -> Iterator[str]:
    """What the sensors said while a number was taken."""
    by_id = {row.measurement_id: row for row in data.rows}
    shown = ((by_id[key], found) for key, found in sorted(data.telemetry.items()) if key in by_id)
    for index, (row, found) in enumerate(islice(shown, _MOST_PICTURES)):
        tracks = [charts.Track(item.channel, item.unit, item.seconds, item.values) for item in found if item.seconds]
        if tracks:
            title = f"{row.label} on {row.device}, job {row.job_id}"
            picture = charts.tracks(tracks[:8], key=f"t{index}", title=f"Telemetry of {title}")
            yield page.figure(picture, f"{title}: latency, and what the sensors told at the same time.")
