"""The pictures of a report, each from plain numbers: intervals, distributions, parts of a whole, points, series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.report.html import svg
from controller.report.html.svg import Scale
from jetfleet.plural import counted

WIDTH = 920.0
_ROW = 24.0
_LONG_TAIL = 3.0  # slowest over fastest: from there on the axis is logarithmic
_TONES = 8  # classes t0 .. t7 of the page


@dataclass(frozen=True)
class IntervalRow:
    """A value with its interval; without one only its point is drawn. `tone` is a class: good, bad, same, unsure."""

    name: str
    value: float
    low: float | None
    high: float | None
    tone: str
    note: str


def intervals(rows: Sequence[IntervalRow], *, words: str, zero: float, key: str, title: str) -> str:
    """One line per row around the value that means no difference."""
    names = svg.names_width(row.name for row in rows)
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    scale = Scale(*svg.span([*ends, zero]), names, WIDTH - 20)
    top = 26.0
    bottom = top + _ROW * len(rows) + 6
    body = [svg.top_axis(scale, top), svg.line(scale(zero), top, scale(zero), bottom, "zero")]
    for index, row in enumerate(rows):
        y = top + _ROW * index + 16
        body.append(svg.text(names - 8, y + 4, svg.short(row.name), anchor="end"))
        if row.low is not None and row.high is not None:
            body.append(svg.line(scale(row.low), y, scale(row.high), y, f"whisker {row.tone}"))
        body.append(svg.circle(scale(row.value), y, 4.5, f"dot {row.tone}", title=f"{row.name}: {row.note}"))
    body.append(svg.bottom_axis(scale, bottom, words))
    told = "; ".join(f"{row.name}: {row.note}" for row in rows)
    return svg.picture(WIDTH, bottom + 40, "".join(body), title=title, description=told, key=key)


@dataclass(frozen=True)
class Curve:
    """An empirical distribution, and the medians of the runs below it."""

    name: str
    values: Sequence[float]
    shares: Sequence[float]
    marks: Sequence[float]


def distributions(curves: Sequence[Curve], *, words: str, key: str, title: str) -> str:
    """Cumulative: the share of inferences that took at most so long. Never cut: a long tail makes it logarithmic."""
    ends = [value for curve in curves for value in (*curve.values, *curve.marks)]
    low, high = min(ends), max(ends)
    is_long = low > 0 and high > _LONG_TAIL * low
    scale = Scale(*((low, high) if is_long else svg.span(ends)), 60, WIDTH - 20, logarithmic=is_long)
    rise = Scale(0.0, 1.0, 230.0, 24.0)
    body = [svg.left_axis(rise, 60, "share of inferences")]
    for index, curve in enumerate(curves):
        points = [(scale(value), rise(share)) for value, share in zip(curve.values, curve.shares, strict=True)]
        body.append(svg.curve([(scale(curve.values[0]), rise(0.0)), *points], f"curve s{index % _TONES}"))
        y = 236.0 + 9 * index
        body += [svg.line(scale(mark), y, scale(mark), y + 7, f"mark s{index % _TONES}") for mark in curve.marks]
    below = 236.0 + 9 * len(curves)
    body.append(svg.bottom_axis(scale, below, f"{words}; marks: the median of each run"))
    body.append(_legend([curve.name for curve in curves], below + 44, "s"))
    told = "; ".join(
        f"{item.name}: median {_middle(item):.4g} ms, {counted(len(item.marks), 'run')}" for item in curves
    )
    height = below + 50 + 18 * len(curves)
    return svg.picture(WIDTH, height, "".join(body), title=title, description=told, key=key)


def _middle(item: Curve) -> float:
    return next((value for value, share in zip(item.values, item.shares, strict=True) if share >= 0.5), item.values[-1])


@dataclass(frozen=True)
class Stack:
    """Parts of one whole, by name; `total` is the whole in words."""

    name: str
    parts: Mapping[str, float]
    total: str


def stacks(rows: Sequence[Stack], *, words: str, key: str, title: str) -> str:
    """One bar per row, all of one length: shares of the whole, which stands at its end."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.parts))
    names = svg.names_width(row.name for row in rows)
    scale = Scale(0.0, 100.0, names, WIDTH - 110)
    top = 24.0
    body = [_row_of_keys(kinds, names)]
    for index, row in enumerate(rows):
        y, x = top + _ROW * index, names
        body.append(svg.text(names - 8, y + 13, svg.short(row.name), anchor="end"))
        whole = sum(row.parts.values()) or 1.0
        for kind, value in row.parts.items():
            width = scale(100 * value / whole) - names
            style = f"part t{kinds.index(kind) % _TONES}"
            body.append(svg.rectangle(x, y, width, 17, style, title=f"{row.name}: {kind} {value:.4g}"))
            x += width
        body.append(svg.text(x + 8, y + 13, row.total))
    bottom = top + _ROW * len(rows) + 2
    body.append(svg.bottom_axis(scale, bottom, words))
    told = "; ".join(
        f"{row.name}: " + ", ".join(f"{kind} {value:.4g}" for kind, value in row.parts.items()) for row in rows
    )
    return svg.picture(WIDTH, bottom + 40, "".join(body), title=title, description=told, key=key)


def _row_of_keys(kinds: Sequence[str], x: float) -> str:
    parts = []
    for index, kind in enumerate(kinds):
        parts += [svg.rectangle(x, 2, 12, 10, f"part t{index % _TONES}"), svg.text(x + 18, 11, kind)]
        x += svg.text_width(kind) + 40
    return "".join(parts)


@dataclass(frozen=True)
class Point:
    name: str
    x: float
    y: float
    chosen: bool


def points(found: Sequence[Point], *, x_words: str, y_words: str, key: str, title: str) -> str:
    """A cloud; the chosen ones are filled and named."""
    across = Scale(*svg.span([item.x for item in found], room=0.08), 70, WIDTH - 20)
    up = Scale(*svg.span([item.y for item in found], room=0.12), 300, 24)
    body = [svg.left_axis(up, 70, y_words), svg.bottom_axis(across, 300, x_words)]
    for item in sorted(found, key=lambda item: item.chosen):  # the chosen ones on top
        body += _point(item, across(item.x), up(item.y))
    told = "; ".join(f"{item.name}{' (front)' if item.chosen else ''}: {item.x:.4g}, {item.y:.4g}" for item in found)
    return svg.picture(WIDTH, 342, "".join(body), title=title, description=told, key=key)


def _point(item: Point, x: float, y: float) -> list[str]:
    words = f"{item.name}: {item.x:.4g}, {item.y:.4g}"
    if not item.chosen:
        return [svg.circle(x, y, 5, "dot rest", title=words)]
    at_end = x > WIDTH - 240
    label = svg.text(x - 9 if at_end else x + 9, y - 6, svg.short(item.name), anchor="end" if at_end else "start")
    return [svg.circle(x, y, 5, "dot good", title=words), label]


@dataclass(frozen=True)
class Track:
    """A channel over time."""

    name: str
    unit: str
    seconds: Sequence[float]
    values: Sequence[float]


def tracks(found: Sequence[Track], *, key: str, title: str) -> str:
    """One strip per channel, below each other, over one clock."""
    end = max((item.seconds[-1] for item in found if item.seconds), default=1.0)
    begin = min((item.seconds[0] for item in found if item.seconds), default=0.0)
    across = Scale(min(0.0, begin), end or 1.0, 190, WIDTH - 120)
    strip = 58.0
    body = []
    for index, item in enumerate(found):
        top = strip * index + 6
        low, high = svg.span(item.values)
        up = Scale(low, high, top + strip - 14, top)
        body.append(svg.text(182, top + 20, svg.short(item.name, 26), anchor="end"))
        body.append(svg.text(WIDTH - 112, top + 10, f"{max(item.values):.4g} {item.unit}", style="quiet"))
        body.append(svg.text(WIDTH - 112, top + strip - 14, f"{min(item.values):.4g} {item.unit}", style="quiet"))
        body.append(
            svg.curve(
                [(across(s), up(v)) for s, v in zip(item.seconds, item.values, strict=True)], f"curve s{index % _TONES}"
            )
        )
    body.append(svg.bottom_axis(across, strip * len(found) + 6, "seconds"))
    told = "; ".join(f"{item.name}: {min(item.values):.4g} to {max(item.values):.4g} {item.unit}" for item in found)
    return svg.picture(WIDTH, strip * len(found) + 48, "".join(body), title=title, description=told, key=key)


def _legend(names: Sequence[str], y: float, letter: str) -> str:
    parts = []
    for index, name in enumerate(names):
        here = y + 18 * index
        parts.append(svg.rectangle(60, here, 12, 10, f"part {letter}{index % _TONES}"))
        parts.append(svg.text(78, here + 9, svg.short(name, 90)))
    return "".join(parts)
