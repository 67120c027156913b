"""How a BENCH is timed: warm up until every lane is steady, then rounds until every median is known well enough.

Knows lanes and their numbers; how lanes run is together's business, what the numbers amount to the summary's.
"""

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.repeat.plan import expected_runs
from agent.repeat.role import RunRole
from agent.runtime.base import Report, Session
from agent.work.modes import check_mode, seconds_of
from agent.work.pace import ArrivalPattern, plan_arrivals
from agent.work.paced import measure_paced
from agent.work.summary import Recording, half_width
from agent.work.together import CallerThread, GroupRecording, Lane, LaneGroup
from jetfleet.errors import BadInput
from jetfleet.stats.percentiles import samples_for_bound
from jetfleet.v1.task_pb2 import BenchTask

Floats = NDArray[np.float64]

WANTED_HALF_WIDTH = 0.01  # of p50: good enough, stop
ROUND_SAMPLES = 20  # a round's median should be one of at least so many...
MIN_ROUND_SAMPLES = 5  # ...and of a slow engine at least of these
MIN_SAMPLES = 3  # of an engine so slow that no round of those fits into the longest window
ROUNDS_IN_MIN = 10  # rounds in the shortest window
LONGEST_ROUND_S = 1.0
STEADY_WINDOWS = 3  # consecutive warm-up medians within STEADY_SPREAD of one another
STEADY_SPREAD = 0.02
WARMUP_WINDOW_S = 0.05
REPORT_EVERY_S = 1.0
_FIRST = RunRole()


@dataclass(frozen=True)
class MeasureLimits:
    """MeasureOptions in seconds, checked."""

    warmup_s: float
    min_s: float
    max_s: float
    pace: ArrivalPattern | None = None  # of arrivals; None: one inference after another
    run: int = 0  # which of the processes of one BENCH this is
    alone: bool = True  # no other process will time the same: what can be known of p50 is in this window

    @property
    def longest_warmup_s(self) -> float:
        """An engine that never settles must not warm up for ever; the rounds will show that it is unsteady."""
        return self.warmup_s + max(1.0, 3 * self.warmup_s)


def check_options(task: BenchTask, role: RunRole = _FIRST) -> MeasureLimits:
    """The limits of one run. Raises BadInput for what is not implemented, or makes no sense."""
    options, pace = task.measure, check_mode(task)
    subjects = len(task.subjects)
    fits = {
        BenchTask.SCHEDULE_ALONE: subjects == 1,
        BenchTask.SCHEDULE_INTERLEAVED: subjects == 2,
        BenchTask.SCHEDULE_CONCURRENT: subjects > 1,
    }
    if not fits.get(task.schedule):
        name = BenchTask.Schedule.Name(task.schedule)
        raise BadInput(
            f"this agent cannot run {subjects} subjects in {name}",
            where="schedule",
            expected="one subject in SCHEDULE_ALONE, two in SCHEDULE_INTERLEAVED, or several in SCHEDULE_CONCURRENT",
        )
    warmup_s, min_s = seconds_of(options, "warmup"), seconds_of(options, "min_duration")
    max_s = seconds_of(options, "max_duration")
    if warmup_s < 0 or min_s < 0 or max_s <= 0 or max_s < min_s:
        raise BadInput(
            f"warm-up {warmup_s:g} s, window of {min_s:g} to {max_s:g} s",
            where="measure",
            expected="0 <= min_duration <= max_duration, and max_duration above 0",
        )
    runs = 1 if task.schedule == BenchTask.SCHEDULE_INTERLEAVED else expected_runs(options.runs)
    min_s = max(min_s, role.shortest_window_s)
    return MeasureLimits(warmup_s, min_s, max(min_s, max_s / runs), pace, role.index, alone=runs == 1)


def measure_alone(session: Session, limits: MeasureLimits, report: Report) -> Recording:
    """One session, in this thread: a group of one lane."""
    return measure([Lane(session, CallerThread())], limits, report).recordings[0]


def measure(lanes: Sequence[Lane], limits: MeasureLimits, report: Report) -> GroupRecording:
    """Warms up all lanes together, then times windows that they share until enough is known or the time is up; or
    what arrives at a pace."""
    group, seen = LaneGroup(lanes), GroupRecording.of(len(lanes))
    slowest_s = warm_up(group, seen, limits, report)
    if limits.pace is not None:
        _measure_at_pace(limits.pace, lanes, seen, limits, report)
        return seen
    count = round_size(slowest_s, limits)
    report("measure", 0.0, _pace(slowest_s))
    length_s = count * slowest_s
    stopping = _Stopping(limits)
    reported_s = 0.0
    with quiet_collector():
        while not stopping.is_due(seen):
            timelines = group.time_round(length_s, count=count)
            if seen.add(timelines, count_first=count == 1) < min(count, MIN_ROUND_SAMPLES):
                length_s *= 2
            if seen.spent_s - reported_s >= REPORT_EVERY_S:
                reported_s = seen.spent_s
                counts = " + ".join(str(recording.n) for recording in seen.recordings)
                detail = f"{counts} samples, {_pace(group.slowest_s)}"
                report("measure", min(1.0, reported_s / limits.max_s), detail)
    return seen


def _measure_at_pace(
    pace: ArrivalPattern,
    lanes: Sequence[Lane],
    seen: GroupRecording,
    limits: MeasureLimits,
    report: Report,
) -> None:
    """One window, which begins at the pace as it goes on: so warm, and so queued, as it is while inputs arrive."""
    plan = plan_arrivals(pace, warmup_s=limits.warmup_s, min_s=limits.min_s, max_s=limits.max_s, run=limits.run)
    report("measure", 0.0, f"{len(plan.arrivals_ns)} arrivals, {pace}")
    with quiet_collector():
        measure_paced(lanes, seen, plan, pace)


def warm_up(group: LaneGroup, seen: GroupRecording, limits: MeasureLimits, report: Report) -> float:
    """At least as long as asked and until the medians of windows stop moving, with all lanes busy to the end.

    Returns the slowest lane's latency in seconds.
    """
    beside = f", {len(seen.recordings)} subjects together" if len(seen.recordings) > 1 else ""
    report("warm-up", None, f"at least {limits.warmup_s:g} s{beside}")
    medians: list[list[float]] = [[] for _ in seen.recordings]
    elapsed_s = 0.0
    while True:
        wanted_s = max(WARMUP_WINDOW_S, (MIN_ROUND_SAMPLES + 1) * group.slowest_s)
        timelines = group.warm_up(min(wanted_s, max(WARMUP_WINDOW_S, limits.longest_warmup_s - elapsed_s)))
        elapsed_s += min(int(timeline.ends_ns[-1]) for timeline in timelines) / 1e9
        for recording, windows, timeline in zip(seen.recordings, medians, timelines, strict=True):
            recording.warmup_n += len(timeline.ends_ns)
            recording.warmup_s = elapsed_s
            recording.warmup_p50_ms = timeline.latency_s * 1e3
            windows.append(timeline.latency_s)
        report("warm-up", None, _pace(group.slowest_s))
        if elapsed_s >= limits.longest_warmup_s or all(is_steady(windows, elapsed_s, limits) for windows in medians):
            return group.slowest_s


def _pace(latency_s: float) -> str:
    return f"{latency_s:.3g} s per inference" if latency_s >= 0.1 else f"{1e3 * latency_s:.3g} ms per inference"


class _Stopping:
    """Whether the rounds so far are the last: enough is known of every lane, or the time is up."""

    def __init__(self, limits: MeasureLimits) -> None:
        self._limits = limits
        self._checked = 0  # windows, when it was last looked whether they are enough

    def is_due(self, seen: GroupRecording) -> bool:
        windows = len(seen.windows_s)
        if not windows:
            return False
        if is_over(seen.spent_s, seen.runs, self._limits):
            return min(recording.n for recording in seen.recordings) >= MIN_SAMPLES
        # The check costs more as rounds add up: a run alone looks again only when there is a fifth more to see.
        if seen.window_s < self._limits.min_s or (self._limits.alone and windows < 1.2 * self._checked):
            return False
        self._checked = windows
        return all(is_enough(recording.rounds, self._limits) for recording in seen.recordings)


def is_steady(medians: Sequence[float], elapsed_s: float, limits: MeasureLimits) -> bool:
    """Whether a warm-up of so long, in windows with these medians, has lasted as asked and settled."""
    last = medians[-STEADY_WINDOWS:]
    steady = len(last) == STEADY_WINDOWS and max(last) <= min(last) * (1 + STEADY_SPREAD)
    return elapsed_s >= limits.warmup_s and steady


def round_size(latency_s: float, limits: MeasureLimits) -> int:
    """Inferences in a round: a tenth of the shortest window, at most a second, yet enough for a median.

    One, where a round that has enough for a median would outlast the longest window: of such an engine each is a round.
    """
    latency_s = max(latency_s, 1e-7)
    if MIN_ROUND_SAMPLES * latency_s > limits.max_s:
        return 1
    length_s = min(limits.min_s / ROUNDS_IN_MIN, LONGEST_ROUND_S)
    wanted = max(ROUND_SAMPLES, math.ceil(length_s / latency_s))
    affordable = int(limits.max_s / latency_s / ROUNDS_IN_MIN)
    return max(MIN_ROUND_SAMPLES, min(wanted, affordable))


def is_over(spent_s: float, rounds: int, limits: MeasureLimits) -> bool:
    """Whether another round would outlast the longest window."""
    return rounds > 0 and spent_s * (1 + 1 / rounds) > limits.max_s


def is_enough(rounds: Sequence[Floats], limits: MeasureLimits) -> bool:
    """Whether p99 is supported and, where no other run tells, p50 known as well as wanted."""
    if sum(len(block) for block in rounds) < samples_for_bound(0.99):
        return False
    if not limits.alone:
        return True
    width = half_width(rounds, replicates=500)
    return width is not None and width <= WANTED_HALF_WIDTH


@contextmanager
def quiet_collector() -> Iterator[None]:
    """No garbage collection while timing; what is alive now is not looked at again until the end."""
    gc.collect()
    gc.freeze()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.unfreeze()
