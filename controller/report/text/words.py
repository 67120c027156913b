"""Words and numbers as people read them. What a device sent is opaque: nothing of it may steer a terminal.

Absent is never a number: it reads "unknown", or "n/a" where the samples cannot support the figure.
"""

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING

from jetfleet.plural import are, counted

if TYPE_CHECKING:
    from controller.model.result import (
        Estimate,
        Measurement,
    )  # errors are printed with these words, before any result is there

UNKNOWN = "unknown"

# ECMA-48: CSI sequences, then OSC and the other strings up to their terminator, then two-byte escapes.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 but tab and newline, DEL, C1, and the marks that reorder text on the screen (Unicode TR 36, 3.2).
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text without anything that a terminal would obey; lines and tabs stay."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """Clean text for a table's cell or a message of one line."""
    return " ".join(clean(text).split())


def number(value: float | None, *, digits: int = 4) -> str:
    """Significant digits, without an exponent where a person would not write one."""
    if value is None:
        return UNKNOWN
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits}g}"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def estimate(item: "Estimate", *, n: int) -> str:
    """A value, with half its 95 % interval where it has one: `14.72 ± 0.34 %`; beyond 100 % it says nothing more."""
    if item.value is None:
        return f"n/a (n={n})"
    if item.low is None or item.high is None:
        return number(item.value)
    share = (item.high - item.low) / 2 / abs(item.value) if item.value else 0.0
    half = number(share * 100, digits=2) if share <= 1 else ">100"
    return f"{number(item.value)} ± {half} %"


def sample_size(item: "Measurement") -> int:
    """What its percentiles are of: the samples of a run, not of all together."""
    return item.counted_runs[0].n if item.counted_runs else item.n


def duration(seconds: float | None) -> str:
    """`4.2 s`, `3 min 05 s`, `2 h 07 min`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(when: datetime) -> str:
    """In the reader's own time zone."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def made_up(count: int, total: int) -> str:
    """What is said below every table that holds rows of a simulated runtime."""
    return f"{count} of {counted(total, 'row')} {are(count)} SIMULATED: made-up numbers, not measurements"
