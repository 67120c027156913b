"""When the inputs of a paced BENCH arrive. Planned before the first one, so that nobody who is late can delay the next.

Pure; times are in nanoseconds from when the lanes are started.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jetfleet.circumstances import ARRIVALS, DEADLINE
from jetfleet.stats.percentiles import samples_needed

Times = NDArray[np.int64]

LEAD_S = 0.005  # before the first arrival: the plan becomes times of a session's clock
LATE_SHARE = 0.1  # of the window: so much longer than planned an engine may take that cannot keep up


@dataclass(frozen=True)
class ArrivalPattern:
    """Arrivals in a second, and by when each is to be answered. `seed` is of Poisson arrivals."""

    rate_hz: float
    deadline_s: float
    poisson: bool = False
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.rate_hz:g} Hz, {f'poisson (seed {self.seed})' if self.poisson else 'fixed'}"


@dataclass(frozen=True)
class ArrivalPlan:
    """All arrivals; the first `warmup_n` do not count. By `end_ns` whatever is not answered by then is late."""

    arrivals_ns: Times
    warmup_n: int
    end_ns: int


def pace_circumstances(pace: ArrivalPattern | None) -> dict[str, str]:
    if pace is None:
        return {}
    return {ARRIVALS: str(pace), DEADLINE: f"{pace.deadline_s * 1e3:.6g} ms"}


def plan_arrivals(pace: ArrivalPattern, *, warmup_s: float, min_s: float, max_s: float, run: int = 0) -> ArrivalPlan:
    """A window that supports p99, if that fits. `run` is which of a BENCH's processes this is: each has its own."""
    window_s = min(max_s, max(min_s, samples_needed(0.99) / pace.rate_hz))
    window_s = max(window_s, 1.5 / pace.rate_hz)  # at least one arrival, however rare they are
    length_s = warmup_s + window_s
    at_s = _poisson(pace, length_s, run) if pace.poisson else np.arange(0.0, length_s, 1.0 / pace.rate_hz)
    warmup_n = min(int(np.searchsorted(at_s, warmup_s)), len(at_s) - 1)
    end_s = LEAD_S + length_s + pace.deadline_s + LATE_SHARE * window_s
    return ArrivalPlan(np.rint((at_s + LEAD_S) * 1e9).astype(np.int64), warmup_n, round(end_s * 1e9))


def _poisson(pace: ArrivalPattern, length_s: float, run: int) -> NDArray[np.float64]:
    random = np.random.default_rng((pace.seed, run))
    expected = pace.rate_hz * length_s
    gaps_s = random.exponential(1.0 / pace.rate_hz, int(expected + 10 * expected**0.5 + 10))
    at_s = np.cumsum(gaps_s)
    inside = at_s[at_s < length_s]
    return inside if len(inside) else at_s[:1]
