"""The open loop of a paced BENCH: each input is answered at its planned time, or as soon after it as its forerunners
let it. An inference that is late delays no arrival, and its lateness counts from the plan.

Knows lanes and their clocks; when inputs arrive is the pace's business, what lateness amounts to that of deadlines.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import RoundRecord, Session
from agent.work.deadlines import Served, deadline_flags, deadline_metrics
from agent.work.gaps import find_late_starts
from agent.work.pace import ArrivalPattern, ArrivalPlan
from agent.work.together import GroupRecording, Lane, StartGate, cut, run_all

MOST_BLOCKS = 20
LEAST_SAMPLES = 5  # in a block


@dataclass(frozen=True)
class _Answers:
    """Begins and ends of a lane's inferences, from when the lanes were started."""

    begins_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    collected: RoundRecord = field(default_factory=RoundRecord)


def measure_paced(lanes: Sequence[Lane], seen: GroupRecording, plan: ArrivalPlan, pace: ArrivalPattern) -> None:
    """All lanes answer the same arrivals, each its own input; adds what was seen of them, in blocks."""
    gate = StartGate([lane.session for lane in lanes])
    runs = [_PacedRun(gate, index, plan) for index in range(len(lanes))]
    for lane, answers, back_to_back_ms in zip(range(len(lanes)), run_all(lanes, runs), _latest(seen), strict=True):
        served, collected = _counted(answers, plan, pace, back_to_back_ms)
        opened_ns = gate.opened_ns[lane]
        _add(seen, lane, served, collected, opened_ns)
        if not lane:
            window = (opened_ns + served.opened_ns, opened_ns + int(served.ends_ns[-1]))
            seen.windows_ns.append(window)
    seen.runs = 1


def serve(
    session: Session, arrivals_ns: "array[int]", begins_ns: "array[int]", ends_ns: "array[int]", *, until_ns: int
) -> int:
    """The timed loop; all times are by the session's clock. Returns how many were answered before `until_ns`.

    Nothing is allocated, locked or logged in it, and between the two readings of the clock stands the inference alone.
    """
    clock, infer, wait_until = session.clock, session.infer, session.wait_until
    for index in range(len(arrivals_ns)):
        wait_until(arrivals_ns[index])
        before = clock()
        infer()
        after = clock()
        begins_ns[index] = before
        ends_ns[index] = after
        if after >= until_ns:
            return index + 1
    return len(arrivals_ns)


@dataclass(frozen=True)
class _PacedRun:
    """One lane, in its thread."""

    gate: StartGate
    index: int
    plan: ArrivalPlan

    def __call__(self) -> _Answers:
        session, planned_ns = self.gate.sessions[self.index], self.plan.arrivals_ns
        room = bytes(8 * len(planned_ns))
        begins_ns, ends_ns = array("q", room), array("q", room)
        try:
            session.prepare(len(planned_ns))
            self.gate.wait()
        except BaseException:
            self.gate.abort()
            raise
        opened_ns = self.gate.opened_ns[self.index]
        arrivals_ns = array("q", (planned_ns + opened_ns).tobytes())
        count = serve(session, arrivals_ns, begins_ns, ends_ns, until_ns=opened_ns + self.plan.end_ns)
        collected = session.collect()
        begins, ends = (np.frombuffer(taken, dtype=np.int64, count=count) - opened_ns for taken in (begins_ns, ends_ns))
        return _Answers(begins, ends, collected)


def _latest(seen: GroupRecording) -> list[float]:
    """What each lane took back to back, at the end of the warm-up."""
    return [recording.warmup_p50_ms for recording in seen.recordings]


def _counted(
    answers: _Answers, plan: ArrivalPlan, pace: ArrivalPattern, back_to_back_ms: float
) -> tuple[Served, RoundRecord]:
    """The arrivals that count; of an engine so slow that none of those was reached, the last one."""
    done = len(answers.ends_ns)
    part = slice(min(plan.warmup_n, done - 1), done)
    before = answers.ends_ns[part.start - 1] if part.start else 0
    served = Served(
        arrivals_ns=plan.arrivals_ns[part],
        begins_ns=answers.begins_ns[part],
        ends_ns=answers.ends_ns[part],
        before_ns=int(before),
        unanswered=len(plan.arrivals_ns) - done,
        pace=pace,
        back_to_back_ms=back_to_back_ms,
    )
    return served, cut(answers.collected, part)


def _add(seen: GroupRecording, lane: int, served: Served, collected: RoundRecord, opened_ns: int) -> None:
    recording = seen.recordings[lane]
    count = len(served.ends_ns)
    blocks = np.array_split(np.arange(count), max(1, min(MOST_BLOCKS, count // LEAST_SAMPLES)))
    began_ns = served.opened_ns
    for block in blocks:
        part = slice(int(block[0]), int(block[-1]) + 1)
        ended_ns = int(served.ends_ns[part][-1]) if part.stop < count else served.closed_ns
        recording.add(
            served.busy_ms[part],
            ended_ns - began_ns,
            _with_waits(cut(collected, part), served, part),
            begins_ns=opened_ns + served.begins_ns[part],
        )
        began_ns = ended_ns
    recording.metrics.update(deadline_metrics(served))
    recording.flags += deadline_flags(served)
    length_s = (began_ns - served.opened_ns) / 1e9
    seen.spent_s = max(seen.spent_s, length_s)
    seen.windows_s = [max(*seen.windows_s, length_s)] if seen.windows_s else [length_s]
    seen.gaps += find_late_starts(served.late_starts_ns)


def _with_waits(collected: RoundRecord, served: Served, part: slice) -> RoundRecord:
    waits = {"queue": served.waits_ms[part], "response": served.responses_ms[part]}
    return replace(collected, stages_ms={**collected.stages_ms, **waits})
