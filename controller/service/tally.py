"""What a controller counts while it runs: plain numbers that cost nothing to keep, whether anybody asks or not."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

# Upper ends in seconds: a long poll and a watch take as long as they like.
CALL_BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 40.0)
WRITE_BOUNDS_S = (0.002, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)


class Durations:
    """How many took how long at most."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s, self.sum_s = bounds_s, 0.0
        self._counts = [0] * (len(bounds_s) + 1)

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus has it: up to each bound, and all of them."""
        total, found = 0, []
        for bound, count in zip((*self.bounds_s, "+Inf"), self._counts, strict=True):
            total += count
            found.append((str(bound), float(total)))
        return found


@dataclass
class RunningTally:
    """Since the start of this process. Its loop's thread alone uses it."""

    calls: "Counter[tuple[str, str]]" = field(default_factory=Counter)  # by method and status
    call_s: dict[str, Durations] = field(default_factory=dict)  # by method
    write_s: Durations = field(default_factory=lambda: Durations(WRITE_BOUNDS_S))
    attempts: "Counter[str]" = field(default_factory=Counter)  # by what ended them
    removals: "Counter[str]" = field(default_factory=Counter)  # rows and files, by kind
    removal_runs: "Counter[str]" = field(default_factory=Counter)  # DONE, FAILED
    freed_bytes: int = 0
    removal_ended_at: float = 0.0  # UNIX time; 0: none has

    def call_ended(self, method: str, status: str, seconds: float) -> None:
        self.calls[method, status] += 1
        self.call_s.setdefault(method, Durations(CALL_BOUNDS_S)).add(seconds)
