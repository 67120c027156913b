"""The timed loop: warm up until steady, then rounds until the median is known well enough.

Knows sessions, not runtimes; what the numbers amount to is the summary's, files and processes are others' business.
"""

import gc
import math
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import Collected, Report, Session
from agent.work import stats
from agent.work.summary import Recording, half_width
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import BenchTask, MeasureOptions

Floats = NDArray[np.float64]

WANTED_HALF_WIDTH = 0.01  # of p50: good enough, stop
ROUND_SAMPLES = 20  # a round's median should be one of at least so many...
MIN_ROUND_SAMPLES = 5  # ...and of a slow engine at least of these
ROUNDS_IN_MIN = 10  # rounds in the shortest window
LONGEST_ROUND_S = 1.0
STEADY_WINDOWS = 3  # consecutive warm-up medians within STEADY_SPREAD of one another
STEADY_SPREAD = 0.02
WARMUP_WINDOW_S = 0.05
REPORT_EVERY_S = 1.0


@dataclass(frozen=True)
class Limits:
    """MeasureOptions in seconds, checked."""

    warmup_s: float
    min_s: float
    max_s: float

    @property
    def longest_warmup_s(self) -> float:
        """An engine that never settles must not warm up for ever; the rounds will show that it is unsteady."""
        return self.warmup_s + max(1.0, 3 * self.warmup_s)


def check_options(task: BenchTask) -> Limits:
    """Raises BadInput for what is not implemented, or makes no sense."""
    options = task.measure
    if options.mode != MeasureOptions.MODE_LATENCY:
        name = MeasureOptions.Mode.Name(options.mode)
        raise BadInput(f"this agent cannot measure in {name}", where="measure.mode", expected="MODE_LATENCY")
    fits = {BenchTask.SCHEDULE_ALONE: len(task.subjects) == 1, BenchTask.SCHEDULE_CONCURRENT: len(task.subjects) > 1}
    if not fits.get(task.schedule):
        name = BenchTask.Schedule.Name(task.schedule)
        raise BadInput(
            f"this agent cannot run {len(task.subjects)} subjects in {name}",
            where="schedule",
            expected="one subject in SCHEDULE_ALONE, or several in SCHEDULE_CONCURRENT",
        )
    warmup_s, min_s = _seconds(options, "warmup"), _seconds(options, "min_duration")
    max_s = _seconds(options, "max_duration")
    if warmup_s < 0 or min_s < 0 or max_s <= 0 or max_s < min_s:
        raise BadInput(
            f"warm-up {warmup_s:g} s, window of {min_s:g} to {max_s:g} s",
            where="measure",
            expected="0 <= min_duration <= max_duration, and max_duration above 0",
        )
    return Limits(warmup_s, min_s, max_s)


def _seconds(options: MeasureOptions, name: str) -> float:
    duration = getattr(options, name)
    return float(duration.seconds + duration.nanos / 1e9)


def record(session: Session, limits: Limits, report: Report) -> Recording:
    """Warms up, then times rounds until enough is known or the time is up."""
    recording = Recording()
    latency_s = _warm_up(session, limits, recording, report)
    count = round_size(latency_s, limits)
    buffer = array("q", bytes(8 * count))
    checked, reported_s = 0, 0.0
    with quiet_collector():
        while not is_over(recording.window_s, len(recording.rounds), limits):
            recording.add(*_timed_round(session, buffer))
            if recording.window_s - reported_s >= REPORT_EVERY_S:
                reported_s = recording.window_s
                report("measure", min(1.0, reported_s / limits.max_s), f"{recording.n} samples")
            # The check costs more as rounds add up: look again only when there is a fifth more to see.
            if recording.window_s >= limits.min_s and len(recording.rounds) >= 1.2 * checked:
                checked = len(recording.rounds)
                if is_enough(recording.rounds):
                    break
    return recording


def round_size(latency_s: float, limits: Limits) -> int:
    """Inferences in a round: a tenth of the shortest window, at most a second, yet enough for a median."""
    latency_s = max(latency_s, 1e-7)
    length_s = min(limits.min_s / ROUNDS_IN_MIN, LONGEST_ROUND_S)
    wanted = max(ROUND_SAMPLES, math.ceil(length_s / latency_s))
    affordable = int(limits.max_s / latency_s / ROUNDS_IN_MIN)
    return max(MIN_ROUND_SAMPLES, min(wanted, affordable))


def _warm_up(session: Session, limits: Limits, recording: Recording, report: Report) -> float:
    """At least as long as asked and until the medians of windows stop moving; returns the latency in seconds."""
    report("warm-up", None, f"at least {limits.warmup_s:g} s")
    clock, infer = session.clock, session.infer
    begin = clock()
    medians: list[float] = []
    while True:
        window: list[int] = []
        opened = clock()
        while len(window) < MIN_ROUND_SAMPLES or clock() - opened < WARMUP_WINDOW_S * 1e9:
            before = clock()
            infer()
            window.append(clock() - before)
        medians.append(float(np.median(window)))
        recording.warmup_n += len(window)
        recording.warmup_s = (clock() - begin) / 1e9
        if recording.warmup_s >= limits.longest_warmup_s or is_steady(medians, recording.warmup_s, limits):
            return medians[-1] / 1e9


def is_steady(medians: Sequence[float], elapsed_s: float, limits: Limits) -> bool:
    """Whether a warm-up of so long, in windows with these medians, has lasted as asked and settled."""
    last = medians[-STEADY_WINDOWS:]
    steady = len(last) == STEADY_WINDOWS and max(last) <= min(last) * (1 + STEADY_SPREAD)
    return elapsed_s >= limits.warmup_s and steady


def _timed_round(session: Session, buffer: "array[int]") -> tuple[Floats, int, Collected]:
    """One round into a buffer made before; nothing else happens between the first and the last clock reading."""
    clock, infer, count = session.clock, session.infer, len(buffer)
    infer()  # what ran between the rounds has been through the caches
    session.prepare(count)
    begin = clock()
    for index in range(count):
        before = clock()
        infer()
        buffer[index] = clock() - before
    elapsed_ns = clock() - begin
    collected = session.collect()
    return np.frombuffer(buffer, dtype=np.int64) / 1e6, elapsed_ns, collected


def is_over(spent_s: float, rounds: int, limits: Limits) -> bool:
    """Whether another round would outlast the longest window."""
    return rounds > 0 and spent_s * (1 + 1 / rounds) > limits.max_s


def is_enough(rounds: Sequence[Floats]) -> bool:
    """Whether p99 is supported and p50 known as well as wanted."""
    if sum(len(block) for block in rounds) < stats.samples_needed(0.99):
        return False
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
