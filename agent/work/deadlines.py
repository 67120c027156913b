"""From the times of arrivals and answers to what a paced BENCH is about: misses and how they cluster, jitter, idling.

Pure, on arrays; knows neither sessions nor clocks.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agent.repeat.flags import CANNOT_KEEP_UP
from agent.work import stats
from agent.work.pace import ArrivalPattern
from jetfleet.plural import counted
from jetfleet.stats.proportions import Proportion
from jetfleet.v1.task_pb2 import FLAG_KIND_UNSTABLE, Estimate, Flag

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

BUSY = 0.95  # of the time: from there on a queue that grows is the engine's


@dataclass(frozen=True)
class Served:
    """What became of the arrivals that count, in nanoseconds of one clock.

    `before_ns` is when the one before the first was answered; `unanswered` how many were left when the time was up, all
    of them late; `back_to_back_ms` what an inference took when it did not have to wait for its input.
    """

    arrivals_ns: Times
    begins_ns: Times
    ends_ns: Times
    before_ns: int
    unanswered: int
    pace: ArrivalPattern
    back_to_back_ms: float

    @cached_property
    def busy_ms(self) -> Floats:
        return _ms(self.ends_ns - self.begins_ns)

    @cached_property
    def waits_ms(self) -> Floats:
        """From the arrival to the begin: for the one before, and, of a thread that slept, until it woke up."""
        return _ms(self.begins_ns - self.arrivals_ns)

    @cached_property
    def responses_ms(self) -> Floats:
        return _ms(self.ends_ns - self.arrivals_ns)

    @cached_property
    def forerunners_ns(self) -> Times:
        """When the answer before each was there."""
        return np.concatenate([[self.before_ns], self.ends_ns[:-1]])

    @cached_property
    def found_free(self) -> NDArray[np.bool_]:
        """Whether nobody was before it when it arrived."""
        return self.forerunners_ns <= self.arrivals_ns

    @cached_property
    def late_starts_ns(self) -> Times:
        """By how much each began after it could have."""
        return self.begins_ns - np.maximum(self.arrivals_ns, self.forerunners_ns)

    @cached_property
    def missed(self) -> NDArray[np.bool_]:
        late = self.responses_ms > self.pace.deadline_s * 1e3
        return np.concatenate([late, np.ones(self.unanswered, dtype=np.bool_)])

    @property
    def opened_ns(self) -> int:
        """The begin of the window: not before the last one of the warm-up was answered, whose work is not counted."""
        return max(int(self.arrivals_ns[0]), min(self.before_ns, int(self.begins_ns[0])))

    @property
    def closed_ns(self) -> int:
        """The end of the window: not before the next one would have come, or few arrivals would look like many."""
        return max(int(self.ends_ns[-1]), int(self.arrivals_ns[-1]) + round(1e9 / self.pace.rate_hz))

    @property
    def busy_share(self) -> float:
        return float(self.busy_ms.sum()) * 1e6 / (self.closed_ns - self.opened_ns)


def deadline_metrics(served: Served) -> dict[str, Estimate]:
    runs = miss_runs(served.missed)
    found = {
        "paced_miss_share": share_of(served.missed),
        "paced_miss_runs": Estimate(value=len(runs)),
        "paced_miss_run_max": Estimate(value=max(runs, default=0)),
        "paced_queued_share": Estimate(value=float(np.mean(~served.found_free))),
        "paced_busy_share": Estimate(value=min(1.0, served.busy_share)),
        "back_to_back_p50_ms": Estimate(value=served.back_to_back_ms),
    }
    if len(served.responses_ms) > 1:
        found["jitter_ms"] = Estimate(value=float(np.abs(np.diff(served.responses_ms)).mean()))
    rested = served.busy_ms[_after_idle(served)]
    if len(rested):
        found["after_idle_p50_ms"] = Estimate(value=_p50(rested))
    woken_ms = _ms(served.late_starts_ns[served.found_free])
    if len(woken_ms):
        found["wake_error_p50_ms"] = Estimate(value=_p50(woken_ms))
        found["wake_error_max_ms"] = Estimate(value=float(woken_ms.max()))
    return found


def deadline_flags(served: Served) -> list[Flag]:
    """UNSTABLE where an engine cannot keep up: how late its answers are then depends on how long one looks."""
    third = len(served.waits_ms) // 3
    grew_ms = float(np.median(served.waits_ms[-third:]) - np.median(served.waits_ms[:third])) if third else 0.0
    grows = served.busy_share > BUSY and grew_ms > 1e3 / served.pace.rate_hz
    if not served.unanswered and not grows:
        return []
    seen = f"{CANNOT_KEEP_UP} {served.pace.rate_hz:g} Hz: an inference takes {_p50(served.busy_ms):.3g} ms"
    left = f"{served.unanswered} of {counted(len(served.missed), 'input')} were left when the time was up"
    return [Flag(kind=FLAG_KIND_UNSTABLE, evidence=f"{seen}, and {left if served.unanswered else 'the queue grew'}")]


def miss_runs(missed: NDArray[np.bool_]) -> list[int]:
    """The lengths of runs of consecutive misses, in time order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missed, [False]]).astype(np.int8)))
    return [int(length) for length in edges[1::2] - edges[::2]]


def share_of(found: NDArray[np.bool_]) -> Estimate:
    """A share with its 95 % interval, of as many independent samples as these are worth: what is late makes late."""
    share = float(found.mean())
    low, high = Proportion(share, stats.effective_size(found.astype(np.float64), 0.5)).interval()
    return Estimate(value=share, low=low, high=high)


def _after_idle(served: Served) -> NDArray[np.bool_]:
    """Inferences before which the device had rested for longer than one takes."""
    idle_ms = _ms(served.begins_ns - served.forerunners_ns)
    rested: NDArray[np.bool_] = idle_ms > _p50(served.busy_ms)
    return rested


def _p50(samples: Floats) -> float:
    return stats.nearest_rank(np.sort(samples), 0.5)


def _ms(nanoseconds: Times) -> Floats:
    values: Floats = np.asarray(nanoseconds) / 1e6
    return values
