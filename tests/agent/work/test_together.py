"""Subjects together, on fake sessions: which inferences count, who waits for whom, and what happens when one fails."""

import gc
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from agent.runtime.base import DeviceFault, Session
from agent.work.aggregate import aggregate, lock_flags, lost_window_flags
from agent.work.measure import MeasureLimits, measure
from agent.work.summary import Recording, summarise
from agent.work.together import GroupRecording, Lane, Timeline, common_window, samples_inside
from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, FLAG_KIND_UNSTABLE, PROVENANCE_SIMULATED, Subject
from tests.agent.scripted import Scripted, WithEvents, noisy, silent


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def together(stack: ExitStack, sessions: Sequence[Session], limits: MeasureLimits) -> GroupRecording:
    lanes = [Lane(session, stack.enter_context(ThreadPoolExecutor(1))) for session in sessions]
    return measure(lanes, limits, silent)


def timeline(*spans: tuple[int, int]) -> Timeline:
    return Timeline(np.array([begin for begin, _ in spans]), np.array([end for _, end in spans]))


def test_what_counts_lies_between_the_last_to_start_and_the_first_to_stop() -> None:
    late = timeline((40, 50), (50, 60), (60, 70), (70, 80), (80, 90))
    early = timeline((0, 20), (20, 40), (40, 60), (60, 80))
    assert common_window([late, early]) == (50, 80)
    assert samples_inside(late, (50, 80)) == slice(1, 4)
    assert samples_inside(early, (50, 80)) == slice(3, 4)  # 40..60 was there before `late` had warmed its caches


def test_nothing_counts_where_nothing_fits() -> None:
    slow, fast = timeline((0, 100), (100, 200)), timeline((0, 10), (10, 20), (20, 110))
    window = common_window([slow, fast])
    assert window == (100, 110)
    assert samples_inside(slow, window) == slice(1, 1)
    apart = [timeline((0, 10), (10, 20)), timeline((50, 60), (60, 70))]
    assert common_window(apart) == (60, 20)
    assert [part.stop - part.start for part in (samples_inside(each, (60, 20)) for each in apart)] == [0, 0]


def test_each_has_its_own_numbers_and_the_aggregate_has_their_sum(stack: ExitStack) -> None:
    seen = together(stack, [Scripted(lambda now: 2.0), Scripted(lambda now: 5.0)], MeasureLimits(0.2, 1.0, 10.0))
    subjects = [Subject(placement="gpu", batch=2), Subject(placement="dla0", batch=4)]
    fast, slow = (summarise(each, part.batch) for each, part in zip(seen.recordings, subjects, strict=True))
    assert (fast.metrics["p50_ms"].value, slow.metrics["p50_ms"].value) == (2.0, 5.0)
    assert fast.metrics["throughput_per_s"].value == pytest.approx(1000)
    assert slow.metrics["throughput_per_s"].value == pytest.approx(800)
    assert len(fast.rounds) == len(slow.rounds) == len(seen.windows_s) > 5
    for first, second, window_s in zip(fast.rounds, slow.rounds, seen.windows_s, strict=True):
        assert window_s * 1000 - 4 <= first.n * 2 <= window_s * 1000
        assert window_s * 1000 - 10 <= second.n * 5 <= window_s * 1000
    assert min(fast.n, slow.n) >= 299  # also the slow one's p99 is supported
    found = aggregate([fast, slow], subjects, seen)
    assert not found.HasField("subject_index")
    assert found.n == fast.n + slow.n
    assert found.metrics["throughput_per_s"].value == pytest.approx(1800)
    assert found.window.ToNanoseconds() / 1e9 == pytest.approx(seen.window_s)
    assert {found.metrics["p50_ms"].reason, found.metrics["p99_ms"].reason} == {
        "an aggregate has no latency of its own: see its subjects"
    }
    assert not found.metrics["p50_ms"].HasField("value")
    assert not found.rounds
    assert found.provenance != PROVENANCE_SIMULATED


def test_the_same_sessions_give_the_same_numbers_whatever_their_threads_do(stack: ExitStack) -> None:
    def run() -> GroupRecording:
        sessions = [Scripted(noisy(level, 0.02, seed=int(level))) for level in (1.0, 3.0, 7.0)]
        return together(stack, sessions, MeasureLimits(0.1, 0.5, 5.0))

    first, second = run(), run()
    assert first.windows_s == second.windows_s
    for one, other in zip(first.recordings, second.recordings, strict=True):
        assert np.array_equal(np.concatenate(one.rounds), np.concatenate(other.rounds))


def test_it_goes_on_for_the_subject_that_is_known_least(stack: ExitStack) -> None:
    calm, wild = Scripted(noisy(2.0, 0.01)), Scripted(noisy(2.0, 0.2, seed=1))
    assert together(stack, [calm, wild], MeasureLimits(0.1, 0.2, 60.0)).window_s > 0.5
    long = together(stack, [calm, Scripted(noisy(2.0, 0.9, seed=2))], MeasureLimits(0.1, 0.2, 3.0))
    assert long.spent_s <= 3.0


def test_warm_up_lasts_until_the_last_is_steady_and_all_stay_busy(stack: ExitStack) -> None:
    settling = Scripted(lambda now: 2.0 if now > 0.8 else 4.0 - 2 * now)
    seen = together(stack, [Scripted(lambda now: 1.0), settling], MeasureLimits(0.1, 0.1, 1.0))
    steady, slow = seen.recordings
    assert 0.8 <= slow.warmup_s < 1.1
    assert steady.warmup_s == slow.warmup_s
    assert steady.warmup_n >= round(1000 * steady.warmup_s)
    assert max(float(block.max()) for block in slow.rounds) == pytest.approx(2.0)


def test_warm_up_of_one_that_never_settles_ends(stack: ExitStack) -> None:
    limits = MeasureLimits(0.5, 0.1, 1.0)
    seen = together(stack, [Scripted(lambda now: 1.0), Scripted(noisy(2.0, 0.9))], limits)
    assert limits.longest_warmup_s <= seen.recordings[0].warmup_s < limits.longest_warmup_s + 0.1


def test_a_subject_that_becomes_slower_than_a_window_is_told_of(stack: ExitStack) -> None:
    hanging = Scripted(lambda now: 300.0 if 1.0 < now < 2.0 else 2.0)
    seen = together(stack, [Scripted(lambda now: 2.0), hanging], MeasureLimits(0.1, 3.0, 30.0))
    assert seen.lost[0] == 0
    assert seen.lost[1] > 0
    assert seen.runs == len(seen.windows_s) + seen.lost[1]
    assert lost_window_flags(seen, 0) == []
    (flag,) = lost_window_flags(seen, 1)
    assert flag.kind == FLAG_KIND_UNSTABLE
    assert "no inference fitted" in flag.evidence


def test_the_devices_own_clock_is_cut_to_the_window_too(stack: ExitStack) -> None:
    seen = together(stack, [WithEvents(lambda now: 1.5), Scripted(lambda now: 4.0)], MeasureLimits(0.1, 0.5, 5.0))
    on_device, plain = (summarise(each, 1) for each in seen.recordings)
    assert on_device.metrics["p50_ms"].value == pytest.approx(1.25)
    assert on_device.metrics["throughput_per_s"].value == pytest.approx(1000 / 1.5)
    blocks = seen.recordings[0]
    assert [len(block) for block in blocks.stages["compute"]] == [len(block) for block in blocks.rounds]
    assert "h2d_p50_ms" not in plain.metrics


def test_nothing_is_collected_while_timing(stack: ExitStack) -> None:
    session = Scripted(lambda now: 2.0)
    together(stack, [session, Scripted(lambda now: 2.0)], MeasureLimits(0.0, 0.1, 1.0))
    assert not session.collector_was_on[-1]
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(
    ("wall_ms", "others", "share"), [(0.02, 1, "10%"), (0.02, 2, "20%"), (0.07, 1, ""), (0.5, 2, "")]
)
def test_what_is_too_short_for_pythons_lock_is_told_so(wall_ms: float, others: int, share: str) -> None:
    flags = lock_flags(Recording(rounds=[np.full(20, wall_ms)] * 6), others)
    assert [flag.kind for flag in flags] == ([FLAG_KIND_INTERFERED] if share else [])
    assert all(f"about {share} of {wall_ms} ms" in flag.evidence for flag in flags)
    by_events = Recording(rounds=[np.full(20, 0.01)] * 6, stages={"e2e": [np.full(20, wall_ms)] * 6})
    assert lock_flags(by_events, others) == flags  # the lock is the host's


class Sleeper(Scripted):
    """On the host's clock, asleep while it infers; its first prepare keeps the others waiting."""

    def __init__(self, latency_ms: float, late_s: float = 0.0) -> None:
        super().__init__(lambda now: latency_ms)
        self._late_s = late_s

    def clock(self) -> int:
        return time.perf_counter_ns()

    def infer(self) -> None:
        time.sleep(self._latency_ms(0.0) / 1e3)

    def prepare(self, count: int) -> None:
        time.sleep(self._late_s)


def test_no_subject_idles_while_another_is_timed(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    spied: list[list[Timeline]] = []

    def spy(timelines: list[Timeline]) -> tuple[int, int]:
        spied.append(timelines)
        return common_window(timelines)

    monkeypatch.setattr("agent.work.together.common_window", spy)
    sessions = [Sleeper(3.0), Sleeper(20.0, late_s=0.05), Sleeper(7.0)]
    seen = together(stack, sessions, MeasureLimits(0.1, 0.2, 2.0))
    assert len(spied) == seen.runs
    for timelines in spied:
        begin, end = common_window(timelines)
        for each in timelines:
            assert each.begins_ns[0] < begin  # it had begun, and done one already
            assert each.ends_ns[0] <= begin
            assert each.ends_ns[-1] >= end  # and it went on until the end
            part = samples_inside(each, (begin, end))
            assert np.all(each.begins_ns[1:] >= each.ends_ns[:-1])
            assert part.start == 0 or each.begins_ns[part.start - 1] < begin  # none inside was left out
            assert part.stop == len(each.ends_ns) or each.ends_ns[part.stop] > end


@pytest.mark.parametrize("step", ["prepare", "infer", "collect"])
def test_an_error_in_one_thread_is_the_error_of_all(stack: ExitStack, step: str) -> None:
    broken = Scripted(lambda now: 2.0)

    def fail(*_: object) -> None:
        raise DeviceFault("gone")

    setattr(broken, step, fail)
    with pytest.raises(DeviceFault, match="gone"):
        together(stack, [Scripted(lambda now: 2.0), broken, Scripted(lambda now: 2.0)], MeasureLimits(0.0, 0.1, 1.0))
