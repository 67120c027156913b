"""The pictures of a report, each from plain numbers: intervals, distributions, parts of a whole, points, series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.report.html import svg
from controller.report.html.svg import Scale

_WIDTH = 760.0
_ROW = 26.0
_LONG_TAIL = 3.0  # slowest over fastest: from there on the axis is logarithmic
_TONES = 8  # classes t0 .. t7 of the page


@dataclass(frozen=True)
class IntervalRow:
    """A value with its interval; without one only its point is drawn. `tone` is a class: good, bad, unsure."""

    name: str
    value: float
    low: float | None
    high: float | None
    tone: str
    note: str


def intervals(rows: Sequence[IntervalRow], *, words: str, zero: float, key: str, title: str) -> str:
    """One line per row around the value that means no difference."""
    names = min(300.0, max((svg.text_width(svg.short(row.name)) for row in rows), default=0) + 12)
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    scale = Scale(*svg.span([*ends, zero]), names, _WIDTH - 20)
    height = _ROW * len(rows) + 10
    body = [svg.line(scale(zero), 0, scale(zero), height, "zero")]
    for index, row in enumerate(rows):
        y = _ROW * index + 16
        body.append(svg.text(names - 8, y + 4, svg.short(row.name), anchor="end"))
        if row.low is not None and row.high is not None:
            body.append(svg.line(scale(row.low), y, scale(row.high), y, f"whisker {row.tone}"))
        body.append(svg.circle(scale(row.value), y, 4.5, f"dot {row.tone}", title=f"{row.name}: {row.note}"))
    body.append(svg.bottom_axis(scale, height, words))
    told = "; ".join(f"{row.name}: {row.note}" for row in rows)
    return svg.picture(_WIDTH, height + 40, "".join(body), title=title, description=told, key=key)


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
    scale = Scale(*((low, high) if is_long else svg.span(ends)), 60, _WIDTH - 20, logarithmic=is_long)
    rise = Scale(0.0, 1.0, 210.0, 18.0)
    body = [svg.left_axis(rise, 60, "share of inferences")]
    for index, curve in enumerate(curves):
        points = [(scale(value), rise(share)) for value, share in zip(curve.values, curve.shares, strict=True)]
        body.append(svg.curve([(scale(curve.values[0]), rise(0.0)), *points], f"curve s{index % _TONES}"))
        y = 216.0 + 9 * index
        body += [svg.line(scale(mark), y, scale(mark), y + 7, f"mark s{index % _TONES}") for mark in curve.marks]
    below = 216.0 + 9 * len(curves)
    body.append(svg.bottom_axis(scale, below, f"{words}; marks: the median of each run"))
    body.append(_legend([curve.name for curve in curves], below + 44, "s"))
    told = "; ".join(f"{item.name}: median {_middle(item):.4g} ms, {len(item.marks)} runs" for item in curves)
    height = below + 50 + 18 * len(curves)
    return svg.picture(_WIDTH, height, "".join(body), title=title, description=told, key=key)


def _middle(item: Curve) -> float:
    return next((value for value, share in zip(item.values, item.shares, strict=True) if share >= 0.5), item.values[-1])


@dataclass(frozen=True)
class Stack:
    """Parts of one whole, by name."""

    name: str
    parts: Mapping[str, float]


def stacks(rows: Sequence[Stack], *, words: str, key: str, title: str) -> str:
    """One bar per row, its parts side by side."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.parts))
    names = min(300.0, max((svg.text_width(svg.short(row.name)) for row in rows), default=0) + 12)
    longest = max((sum(row.parts.values()) for row in rows), default=1.0)
    scale = Scale(0.0, longest or 1.0, names, _WIDTH - 20)
    height = _ROW * len(rows) + 6
    body = []
    for index, row in enumerate(rows):
        y, x = _ROW * index + 6, names
        body.append(svg.text(names - 8, y + 13, svg.short(row.name), anchor="end"))
        for kind, value in row.parts.items():
            width = scale(value) - names
            style = f"part t{kinds.index(kind) % _TONES}"
            body.append(svg.rectangle(x, y, width, 17, style, title=f"{row.name}: {kind} {value:.4g}"))
            x += width
    body.append(svg.bottom_axis(scale, height, words))
    body.append(_legend(kinds, height + 44, "t"))
    told = "; ".join(
        f"{row.name}: " + ", ".join(f"{kind} {value:.4g}" for kind, value in row.parts.items()) for row in rows
    )
    return svg.picture(_WIDTH, height + 50 + 18 * len(kinds), "".join(body), title=title, description=told, key=key)


@dataclass(frozen=True)
class Point:
    name: str
    x: float
    y: float
    chosen: bool


def points(found: Sequence[Point], *, x_words: str, y_words: str, key: str, title: str) -> str:
    """A cloud; the chosen ones are filled and named."""
    across = Scale(*svg.span([item.x for item in found], room=0.12), 70, _WIDTH - 20)
    up = Scale(*svg.span([item.y for item in found], room=0.12), 220, 20)
    body = [svg.left_axis(up, 70, y_words), svg.bottom_axis(across, 220, x_words)]
    for item in found:
        body += _point(item, across(item.x), up(item.y))
    told = "; ".join(f"{item.name}{' (front)' if item.chosen else ''}: {item.x:.4g}, {item.y:.4g}" for item in found)
    return svg.picture(_WIDTH, 262, "".join(body), title=title, description=told, key=key)


def _point(item: Point, x: float, y: float) -> list[str]:
    words = f"{item.name}: {item.x:.4g}, {item.y:.4g}"
    if not item.chosen:
        return [svg.circle(x, y, 5, "dot rest", title=words)]
    at_end = x > _WIDTH - 220
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
    across = Scale(min(0.0, begin), end or 1.0, 190, _WIDTH - 70)
    strip = 58.0
    body = []
    for index, item in enumerate(found):
        top = strip * index + 6
        low, high = svg.span(item.values)
        up = Scale(low, high, top + strip - 14, top)
        body.append(svg.text(182, top + 20, svg.short(item.name, 26), anchor="end"))
        body.append(svg.text(_WIDTH - 64, top + 10, f"{max(item.values):.4g} {item.unit}", style="quiet"))
        body.append(svg.text(_WIDTH - 64, top + strip - 14, f"{min(item.values):.4g}", style="quiet"))
        body.append(
            svg.curve(
                [(across(s), up(v)) for s, v in zip(item.seconds, item.values, strict=True)], f"curve s{index % _TONES}"
            )
        )
    body.append(svg.bottom_axis(across, strip * len(found) + 6, "seconds"))
    told = "; ".join(f"{item.name}: {min(item.values):.4g} to {max(item.values):.4g} {item.unit}" for item in found)
    return svg.picture(_WIDTH, strip * len(found) + 48, "".join(body), title=title, description=told, key=key)


def _legend(names: Sequence[str], y: float, letter: str) -> str:
    parts = []
    for index, name in enumerate(names):
        here = y + 18 * index
        parts.append(svg.rectangle(60, here, 12, 10, f"part {letter}{index % _TONES}"))
        parts.append(svg.text(78, here + 9, svg.short(name, 90)))
    return "".join(parts)
