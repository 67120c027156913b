"""Inline SVG without a script: axes, marks, and the text that says what a picture shows. Knows nothing of results.

Colours are classes, so that the page decides them for light, dark and paper.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_CHAR = 6.4  # about the width of a character of the page's small text


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` as pixels from `begin` to `end`; by their logarithms where both are above 0."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.begin + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.begin + min(1.0, max(0.0, share)) * (self.end - self.begin)


def span(values: Iterable[float], *, room: float = 0.05, zero: bool = False) -> tuple[float, float]:
    """From the least to the greatest with some room on both sides; with zero in it where asked."""
    found = [value for value in values if math.isfinite(value)]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    margin = (high - low) * room or abs(high) * room or 1.0
    return (low if zero and low == 0.0 else low - margin), high + margin


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers inside, at most so many."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= raw)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten; more between them where the range is narrow."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    found = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in found if low <= value <= high]


def label(value: float) -> str:
    """A tick's text."""
    return f"{value:.6g}"


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> str:
    extra = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def rectangle(x: float, y: float, width: float, height: float, style: str, *, title: str = "") -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}"'
    return f'<rect {size} class="{style}">{_title(title)}</rect>'


def circle(x: float, y: float, radius: float, style: str, *, title: str = "") -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{style}">{_title(title)}</circle>'


def curve(points: Sequence[tuple[float, float]], style: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" class="{style}"/>'


def bottom_axis(scale: Scale, y: float, words: str) -> str:
    """Ticks with their numbers, and below them what the numbers are."""
    parts = [line(scale.begin, y, scale.end, y, "axis")]
    found = log_ticks(scale.low, scale.high) if scale.logarithmic else ticks(scale.low, scale.high)
    for value in found:
        parts += [
            line(scale(value), y, scale(value), y + 4, "axis"),
            text(scale(value), y + 16, label(value), anchor="middle"),
        ]
    parts.append(text((scale.begin + scale.end) / 2, y + 32, words, anchor="middle", style="quiet"))
    return "".join(parts)


def top_axis(scale: Scale, y: float) -> str:
    """The same numbers above a picture that is taller than a screen."""
    parts = [line(scale.begin, y, scale.end, y, "axis")]
    for value in ticks(scale.low, scale.high):
        parts += [
            line(scale(value), y - 4, scale(value), y, "axis"),
            text(scale(value), y - 8, label(value), anchor="middle"),
        ]
    return "".join(parts)


def left_axis(scale: Scale, x: float, words: str) -> str:
    """What the numbers are stands above: leave 24 pixels."""
    parts = [line(x, scale.begin, x, scale.end, "axis"), text(4, scale.end - 11, words, style="quiet")]
    for value in ticks(scale.low, scale.high, most=4):
        parts += [
            line(x - 4, scale(value), x, scale(value), "axis"),
            text(x - 7, scale(value) + 4, label(value), anchor="end"),
        ]
    return "".join(parts)


def picture(width: float, height: float, body: str, *, title: str, description: str, key: str) -> str:
    """A whole picture, named and described for whoever cannot see it. `key` is unique on its page."""
    return (
        f'<svg role="img" aria-labelledby="{key}-t {key}-d" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title id="{key}-t">{escape(title)}</title>'
        f'<desc id="{key}-d">{escape(description)}</desc>{body}</svg>'
    )


def text_width(words: str) -> float:
    return _CHAR * len(words)


def names_width(names: Iterable[str]) -> float:
    """What the longest takes, with room beside it."""
    return min(320.0, max((text_width(short(name)) for name in names), default=0) + 12)


def short(words: str, most: int = 48) -> str:
    """Cut in the middle, where names differ least."""
    if len(words) <= most:
        return words
    half = (most - 1) // 2
    return f"{words[:half]}…{words[-half:]}"


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""
