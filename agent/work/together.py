"""Subjects that are measured at the same time: a thread for each, all of them busy in common windows of wall clock.

One process, because several would take turns on a GPU; inside one, streams and DLAs overlap, and runtimes give Python's
lock back while they infer. A window begins when the last subject has done its first inference and ends when the first
of them has done its last: what lies inside ran in full company, whatever a thread took to wake up.
"""

import math
from array import array
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import Collected, Report, Session
from agent.work.measure import (
    MIN_ROUND_SAMPLES,
    REPORT_EVERY_S,
    WARMUP_WINDOW_S,
    Limits,
    is_enough,
    is_over,
    is_steady,
    quiet_collector,
    round_size,
)
from agent.work.summary import Recording

_SPARE = 1.5  # room in a tape, over what its subject will need at the pace it had last


@dataclass(frozen=True)
class Lane:
    """A subject's session with the one thread that made it and alone may use it: a CUDA context belongs to a thread."""

    session: Session
    thread: Executor


@dataclass
class Company:
    """What was seen of the lanes together: a recording of each, over the same windows."""

    recordings: list[Recording]
    windows_s: list[float] = field(default_factory=list)  # wall clock that all of them share, one per round
    runs: int = 0  # windows, with those that were lost
    spent_s: float = 0.0  # on them, with what a window needs to begin and to end
    lost: list[int] = field(default_factory=list)  # per lane: windows lost because no inference of it fitted

    @property
    def window_s(self) -> float:
        return sum(self.windows_s)


@dataclass(frozen=True)
class Tape:
    """Begin and end of each inference, in time order: nanoseconds from when the lanes were let go."""

    begins_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    collected: Collected = field(default_factory=Collected)

    @property
    def latency_s(self) -> float:
        return float(np.median(self.ends_ns - self.begins_ns)) / 1e9


def common_window(tapes: Sequence[Tape]) -> tuple[int, int]:
    """From when all have ended their first inference until one has ended its last."""
    return max(int(tape.ends_ns[0]) for tape in tapes), min(int(tape.ends_ns[-1]) for tape in tapes)


def inside(tape: Tape, window: tuple[int, int]) -> slice:
    """The inferences that both began and ended in a window."""
    first = int(np.searchsorted(tape.begins_ns, window[0], side="left"))
    last = int(np.searchsorted(tape.ends_ns, window[1], side="right"))
    return slice(first, max(first, last))


def record_together(lanes: Sequence[Lane], limits: Limits, report: Report) -> Company:
    """Warms up all lanes together until each is steady, then times common windows until each is known well enough."""
    stage = _Stage(lanes)
    company = Company([Recording() for _ in lanes], lost=[0] * len(lanes))
    slowest_s = _warm_up(stage, company, limits, report)
    length_s = round_size(slowest_s, limits) * slowest_s
    checked, reported_s = 0, 0.0
    with quiet_collector():
        while not company.windows_s or not is_over(company.spent_s, company.runs, limits):
            if _add(company, stage.run(length_s + stage.slowest_s, timed=True)) < MIN_ROUND_SAMPLES:
                length_s *= 2
            if company.spent_s - reported_s >= REPORT_EVERY_S:
                reported_s = company.spent_s
                counts = " + ".join(str(recording.n) for recording in company.recordings)
                report("measure", min(1.0, reported_s / limits.max_s), f"{counts} samples")
            if company.window_s >= limits.min_s and len(company.windows_s) >= 1.2 * checked:
                checked = len(company.windows_s)
                if all(is_enough(recording.rounds) for recording in company.recordings):
                    break
    return company


def _warm_up(stage: "_Stage", company: Company, limits: Limits, report: Report) -> float:
    """Windows of all, also for those that are steady already; returns the slowest lane's latency in seconds."""
    report("warm-up", None, f"at least {limits.warmup_s:g} s, {len(company.recordings)} subjects together")
    medians: list[list[float]] = [[] for _ in company.recordings]
    elapsed_s = 0.0
    while True:
        tapes = stage.run(max(WARMUP_WINDOW_S, (MIN_ROUND_SAMPLES + 1) * stage.slowest_s), timed=False)
        elapsed_s += min(int(tape.ends_ns[-1]) for tape in tapes) / 1e9
        for recording, seen, tape in zip(company.recordings, medians, tapes, strict=True):
            recording.warmup_n += len(tape.ends_ns)
            recording.warmup_s = elapsed_s
            seen.append(tape.latency_s)
        if elapsed_s >= limits.longest_warmup_s or all(is_steady(seen, elapsed_s, limits) for seen in medians):
            return stage.slowest_s


def _add(company: Company, tapes: Sequence[Tape]) -> int:
    """Adds one window to the recordings; returns the fewest samples that a lane had in it."""
    window = common_window(tapes)
    slices = [inside(tape, window) for tape in tapes]
    counts = [part.stop - part.start for part in slices]
    company.runs += 1
    company.spent_s += max(int(tape.ends_ns[-1]) for tape in tapes) / 1e9
    if 0 in counts:
        company.lost = [lost + (not count) for lost, count in zip(company.lost, counts, strict=True)]
        return 0
    company.windows_s.append((window[1] - window[0]) / 1e9)
    for recording, tape, part in zip(company.recordings, tapes, slices, strict=True):
        begins, ends = tape.begins_ns[part], tape.ends_ns[part]
        # A lane's own wall clock: what the window's edges cut off at both ends is neither counted nor timed.
        recording.add((ends - begins) / 1e6, int(ends[-1] - begins[0]), _cut(tape.collected, part))
    return min(counts, default=0)


def _cut(collected: Collected, part: slice) -> Collected:
    stages = {name: values[part] for name, values in collected.stages_ms.items()}
    return Collected(stages, None if collected.latency_ms is None else collected.latency_ms[part])


class _Stage:
    """The lanes with their buffers; lets all go at once and stops each at its first inference that ends too late."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._latencies_s = [WARMUP_WINDOW_S / 100] * len(lanes)
        self._buffers = [_Buffer() for _ in lanes]

    @property
    def slowest_s(self) -> float:
        """Median latency of the slowest lane in the last window."""
        return max(self._latencies_s)

    def run(self, length_s: float, *, timed: bool) -> list[Tape]:
        """Every lane infers back to back for so long by its own session's clock; raises what a session raised."""
        gate = _Gate([lane.session for lane in self._lanes])
        futures = []
        for index, (lane, buffer) in enumerate(zip(self._lanes, self._buffers, strict=True)):
            buffer.make_room(math.ceil(_SPARE * length_s / self._latencies_s[index]) + MIN_ROUND_SAMPLES)
            futures.append(lane.thread.submit(_play, gate, index, buffer, int(length_s * 1e9), timed))
        errors = [error for future in futures if (error := future.exception()) is not None]
        if errors:  # the others only say that they waited in vain for the one that failed
            raise next((error for error in errors if not isinstance(error, BrokenBarrierError)), errors[0])
        tapes = [future.result() for future in futures]
        self._latencies_s = [max(tape.latency_s, 1e-7) for tape in tapes]
        return tapes


class _Buffer:
    """Begins and ends of inferences, made before they are needed."""

    def __init__(self) -> None:
        self.begins, self.ends = array("q"), array("q")

    def make_room(self, count: int) -> None:
        missing = bytes(8 * max(0, count - len(self.ends)))
        self.begins.frombytes(missing)
        self.ends.frombytes(missing)


class _Gate:
    """Where lanes wait for one another. Their clocks are read in the moment in which all are let go."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        self.opened_ns: list[int] = []
        self._barrier = Barrier(len(sessions), action=self._open)
        self.wait, self.abort = self._barrier.wait, self._barrier.abort

    def _open(self) -> None:
        self.opened_ns = [session.clock() for session in self.sessions]


def _play(gate: _Gate, index: int, buffer: _Buffer, length_ns: int, timed: bool) -> Tape:
    """In a lane's thread: infers until the time is up or the buffer full, which ends the window for all."""
    session = gate.sessions[index]
    clock, infer, begins, ends = session.clock, session.infer, buffer.begins, buffer.ends
    count, room = 0, len(ends)
    try:
        if timed:
            session.prepare(room)
        gate.wait()
    except BaseException:
        gate.abort()
        raise
    until = gate.opened_ns[index] + length_ns
    while count < room:
        begins[count] = clock()
        infer()
        ends[count] = after = clock()
        count += 1
        if after >= until:
            break
    collected = session.collect() if timed else Collected()
    return Tape(_since(gate.opened_ns[index], begins, count), _since(gate.opened_ns[index], ends, count), collected)


def _since(opened_ns: int, readings: "array[int]", count: int) -> NDArray[np.int64]:
    return np.frombuffer(readings, dtype=np.int64, count=count) - opened_ns
