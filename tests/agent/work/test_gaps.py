"""Gaps between inferences are code of our own: found where nothing of ours takes so long, whatever the model is."""

import numpy as np
import pytest

from agent.work.gaps import find_gaps, pause_flags
from agent.work.measure import MeasureLimits, measure
from agent.work.together import CallerThread, GroupRecording, Lane
from jetfleet.v1.task_pb2 import FLAG_KIND_PAUSED
from tests.agent.scripted import Scripted, noisy, silent

LIMITS = MeasureLimits(0.1, 0.5, 2.0)


class Stopped(Scripted):
    """Stands still between two of its inferences, as a process does that a signal stops there."""

    def __init__(self, *, at: int, for_s: float) -> None:
        super().__init__(noisy(10.0, 0.01))
        self._at, self._for_ns, self._readings = at, int(for_s * 1e9), 0

    def clock(self) -> int:
        self._readings += 1
        if self._readings == self._at:
            self.now_ns += self._for_ns
        return self.now_ns


def seen(session: Scripted) -> GroupRecording:
    return measure([Lane(session, CallerThread())], LIMITS, silent)


def test_a_stop_between_two_inferences_is_seen_by_the_loop_itself() -> None:
    begins = np.array([0, 11, 22, 2063, 2074], dtype=np.int64) * 1_000_000
    (gap,) = find_gaps(begins, begins + 10_000_000, first=117)
    assert str(gap) == "a gap of 2.03 s between inference 119 and 120"


def test_a_measurement_with_a_gap_is_paused() -> None:
    # The clock is read once per window and twice per inference; an odd reading stands before an inference.
    found = [seen(Stopped(at=at, for_s=2.0)) for at in (200, 201)]
    flags = [pause_flags(item, []) for item in found]
    assert sorted(len(item) for item in flags) == [0, 1]  # inside an inference, and between two
    (flag,) = max(flags, key=len)
    assert flag.kind == FLAG_KIND_PAUSED
    assert flag.evidence.startswith("a gap of 2.00 s between inference ")


@pytest.mark.parametrize(
    "session",
    [
        Scripted(lambda now: 3000.0),
        Scripted(lambda now: 5000.0 if 0.5 < now < 0.6 else 10.0),
        Scripted(noisy(5.0, 0.3), bookkeeping_ms=500),
        Scripted(lambda now: 0.001),
    ],
    ids=["slow", "spiky", "slow to prepare", "fast"],
)
def test_no_model_is_taken_for_a_pause(session: Scripted) -> None:
    assert pause_flags(seen(session), []) == []


def test_the_inference_that_a_pause_fell_into_is_named() -> None:
    found = seen(Scripted(lambda now: 2000.0 if 0.5 < now < 0.52 else 10.0))
    (flag,) = pause_flags(found, ["stopped and continued by a signal"])
    assert " took 2.00 s (median 10 ms); stopped and continued by a signal" in flag.evidence
