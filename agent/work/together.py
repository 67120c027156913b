"""Lanes: sessions that infer at the same time, in windows that all of them share. A subject alone is a group of one.

One process, because several would take turns on a GPU; inside one, streams and DLAs overlap, and runtimes give Python's
lock back while they infer. A window begins when the last lane has done its first inference and ends when the first of
them has done its last: what lies inside ran beside all others, through warm caches, whatever a thread took to wake up.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import RoundRecord, Session
from agent.work.gaps import Gap, find_gaps
from agent.work.summary import Recording

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")

_FIRST_GUESS_S = 0.0005  # latency of a lane that has not run yet
_SPARE = 1.5  # room in a buffer, over what its lane will need at the pace that it had last...
_SPARE_SAMPLES = 5  # ...and on top of that
_NO_END_NS = 1 << 62


class CallerThread(Executor):
    """Runs a call at once in the thread that submits it, and raises what it raises: for a lane that has no others."""

    def submit(
        self, fn: Callable[_Arguments, _Answer], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> "Future[_Answer]":
        done: Future[_Answer] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@dataclass(frozen=True)
class Lane:
    """A subject's session with the one thread that made it and alone may use it: a CUDA context belongs to a thread."""

    session: Session
    thread: Executor


@dataclass(frozen=True)
class Timeline:
    """Begin and end of each inference of a lane, in time order: nanoseconds from when the lanes were started."""

    begins_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    collected: RoundRecord = field(default_factory=RoundRecord)
    opened_ns: int = 0  # that start, by the session's clock

    @property
    def latency_s(self) -> float:
        return float(np.median(self.ends_ns - self.begins_ns)) / 1e9


@dataclass
class GroupRecording:
    """What was seen of the lanes together: a recording of each, over the same windows."""

    recordings: list[Recording]
    windows_s: list[float] = field(default_factory=list)  # wall clock that all of them share, one per round
    windows_ns: list[tuple[int, int]] = field(default_factory=list)  # begin and end of each, by the first lane's clock
    runs: int = 0  # windows, with those that were lost
    spent_s: float = 0.0  # on them, with what some of the lanes did before all were there or after one had stopped
    lost: list[int] = field(default_factory=list)  # per lane: windows lost because no inference of it fitted
    gaps: list[Gap] = field(default_factory=list)  # in which the loop itself stood still

    @classmethod
    def of(cls, lanes: int) -> "GroupRecording":
        return cls([Recording() for _ in range(lanes)], lost=[0] * lanes)

    @property
    def window_s(self) -> float:
        return sum(self.windows_s)

    def add(self, timelines: Sequence[Timeline], *, count_first: bool = False) -> int:
        """Adds one window to the recordings; returns the fewest samples that a lane had in it.

        With `count_first` the first inference of a lane alone counts: one so slow that waking a thread is nothing.
        """
        alone = len(timelines) == 1 and count_first
        window = (int(timelines[0].begins_ns[0]), int(timelines[0].ends_ns[-1])) if alone else common_window(timelines)
        slices = [samples_inside(timeline, window) for timeline in timelines]
        counts: list[int] = [part.stop - part.start for part in slices]
        self.runs += 1
        for recording, timeline in zip(self.recordings, timelines, strict=True):
            # The first inference of a round is not counted: it has the number of the one before.
            self.gaps += find_gaps(timeline.begins_ns, timeline.ends_ns, first=recording.n)
        first_ns = window[0] if alone else min(int(timeline.ends_ns[0]) for timeline in timelines)
        self.spent_s += (max(int(timeline.ends_ns[-1]) for timeline in timelines) - first_ns) / 1e9
        if 0 in counts:
            self.lost = [lost + (not count) for lost, count in zip(self.lost, counts, strict=True)]
            return 0
        self.windows_s.append((window[1] - window[0]) / 1e9)
        opened_ns = timelines[0].opened_ns
        self.windows_ns.append((opened_ns + window[0], opened_ns + window[1]))
        for recording, timeline, part in zip(self.recordings, timelines, slices, strict=True):
            begins, ends = timeline.begins_ns[part], timeline.ends_ns[part]
            # A lane's own wall clock: what the window's edges cut off at both ends is neither counted nor timed.
            recording.add(
                (ends - begins) / 1e6,
                int(ends[-1] - begins[0]),
                cut(timeline.collected, part),
                begins_ns=timeline.opened_ns + begins,
            )
        return min(counts)


def common_window(timelines: Sequence[Timeline]) -> tuple[int, int]:
    """From when all have ended their first inference until one has ended its last."""
    begin = max(int(timeline.ends_ns[0]) for timeline in timelines)
    end = min(int(timeline.ends_ns[-1]) for timeline in timelines)
    return begin, end


def samples_inside(timeline: Timeline, window: tuple[int, int]) -> slice:
    """The inferences that both began and ended in a window."""
    first = int(np.searchsorted(timeline.begins_ns, window[0], side="left"))
    last = int(np.searchsorted(timeline.ends_ns, window[1], side="right"))
    return slice(first, max(first, last))


def cut(collected: RoundRecord, part: slice) -> RoundRecord:
    """What was recorded of some of the inferences."""
    stages = {name: values[part] for name, values in collected.stages_ms.items()}
    latency_ms, e2e_ms = collected.latency_ms, collected.e2e_ms
    return RoundRecord(
        stages, None if latency_ms is None else latency_ms[part], None if e2e_ms is None else e2e_ms[part]
    )


class LaneGroup:
    """The lanes with their buffers. Starts all at once, and stops each at its first inference that ends too late."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._latencies_s = [_FIRST_GUESS_S] * len(lanes)
        self._timestamps = [_Timestamps() for _ in lanes]

    @property
    def slowest_s(self) -> float:
        """Median latency of the slowest lane when they last ran."""
        return max(self._latencies_s)

    def warm_up(self, length_s: float) -> list[Timeline]:
        """Every lane infers back to back for so long by its own session's clock; raises what a session raised."""
        return self._run(self._rooms(length_s), length_s, timed=False)

    def time_round(self, length_s: float, *, count: int) -> list[Timeline]:
        """The same with what the sessions record: so long at least after the first inference of the slowest lane.

        A lane alone counts instead: its rounds have `count` samples, after the first inference, or that one alone.
        """
        if len(self._lanes) == 1:
            return self._run([count + 1 if count > 1 else 1], math.inf, timed=True)
        length_s += self.slowest_s
        return self._run(self._rooms(length_s), length_s, timed=True)

    def _rooms(self, length_s: float) -> list[int]:
        """The most inferences of each lane in so long: a lane that has done as many ends the window for all."""
        return [math.ceil(_SPARE * length_s / latency_s) + _SPARE_SAMPLES for latency_s in self._latencies_s]

    def _run(self, rooms: Sequence[int], length_s: float, *, timed: bool) -> list[Timeline]:
        gate = StartGate([lane.session for lane in self._lanes])
        length_ns = _NO_END_NS if length_s == math.inf else int(length_s * 1e9)
        runs = []
        for index, timestamps in enumerate(self._timestamps):
            timestamps.make_room(rooms[index])
            runs.append(_LaneRun(gate, index, timestamps, room=rooms[index], length_ns=length_ns, timed=timed))
        timelines = run_all(self._lanes, runs)
        self._latencies_s = [max(timeline.latency_s, 1e-7) for timeline in timelines]
        return timelines


def run_all(lanes: Sequence[Lane], runs: Sequence[Callable[[], _Answer]]) -> list[_Answer]:
    """What each lane's run answers, in its thread; raises what one of them raised."""
    futures = [lane.thread.submit(run) for lane, run in zip(lanes, runs, strict=True)]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:  # the others only say that they waited in vain for the one that failed
        raise next((error for error in errors if not isinstance(error, BrokenBarrierError)), errors[0])
    return [future.result() for future in futures]


class _Timestamps:
    """Begins and ends of inferences by a session's clock; room for them is made before they are needed."""

    def __init__(self) -> None:
        self.begins_ns, self.ends_ns = array("q"), array("q")

    def make_room(self, count: int) -> None:
        missing = bytes(8 * max(0, count - len(self.ends_ns)))
        self.begins_ns.frombytes(missing)
        self.ends_ns.frombytes(missing)


class StartGate:
    """Where lanes wait for one another. Their clocks are read in the moment in which all are let go."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        self.opened_ns: list[int] = []
        self._barrier = Barrier(len(sessions), action=self._open)
        self.wait, self.abort = self._barrier.wait, self._barrier.abort

    def _open(self) -> None:
        self.opened_ns = [session.clock() for session in self.sessions]


@dataclass(frozen=True)
class _LaneRun:
    """One run of a lane, in its thread: until the time is up or the room is full."""

    gate: StartGate
    index: int
    timestamps: _Timestamps
    room: int
    length_ns: int
    timed: bool

    def __call__(self) -> Timeline:
        session = self.gate.sessions[self.index]
        try:
            if self.timed:
                session.prepare(self.room)
            self.gate.wait()
        except BaseException:
            self.gate.abort()
            raise
        opened_ns = self.gate.opened_ns[self.index]
        count = time_inferences(session, self.timestamps, room=self.room, until_ns=opened_ns + self.length_ns)
        collected = session.collect() if self.timed else RoundRecord()
        begins_ns = np.frombuffer(self.timestamps.begins_ns, dtype=np.int64, count=count) - opened_ns
        ends_ns = np.frombuffer(self.timestamps.ends_ns, dtype=np.int64, count=count) - opened_ns
        return Timeline(begins_ns, ends_ns, collected, opened_ns)


def time_inferences(session: Session, timestamps: _Timestamps, *, room: int, until_ns: int) -> int:
    """The timed loop: infers until one inference ends too late, at most `room` times; returns how often.

    Nothing is allocated, locked or logged in it, and between the two readings of the clock stands the inference alone.
    """
    clock, infer = session.clock, session.infer
    begins_ns, ends_ns = timestamps.begins_ns, timestamps.ends_ns
    for index in range(room):
        before = clock()
        infer()
        after = clock()
        begins_ns[index] = before
        ends_ns[index] = after
        if after >= until_ns:
            return index + 1
    return room
