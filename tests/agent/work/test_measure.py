"""The timed loop on sessions whose every latency is scripted: when it stops, what it says, and what it leaves alone."""

import gc
import threading

import numpy as np
import pytest

from agent.repeat.role import RunRole
from agent.work.measure import MeasureLimits, check_options, measure_alone, round_size
from agent.work.measure import measure as measure_lanes
from agent.work.summary import AROUND, LAUNCH_SHARE, Recording, find_flags, launch_flags, summarise, untimed
from agent.work.together import CallerThread, Lane
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS, NAMES, PACED_STAGES, STAGES
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNSTABLE,
    BenchTask,
    MeasureOptions,
    Subject,
)
from tests.agent.builders import measure_options
from tests.agent.scripted import Scripted, WithEvents, noisy, silent

ELSEWHERE = (*AROUND, *PACED_STAGES)  # stages of a pipeline, and of mode paced


def test_a_quiet_engine_is_timed_for_the_shortest_window_and_no_longer() -> None:
    recording = measure_alone(Scripted(noisy(2.0, 0.01)), MeasureLimits(0.5, 1.0, 10.0), silent)
    assert 1.0 <= recording.window_s < 1.2
    found = summarise(recording, batch=4)
    assert found.n == recording.n >= 299
    assert found.metrics["p50_ms"].low <= found.metrics["p50_ms"].value <= found.metrics["p50_ms"].high
    assert found.metrics["p50_ms"].value == pytest.approx(2.0, rel=0.005)
    assert found.metrics["p99_ms"].value == pytest.approx(2.0 * 1.0233, rel=0.01)
    assert found.metrics["throughput_per_s"].value == pytest.approx(4 * 500, rel=0.01)
    assert sum(item.n for item in found.rounds) == found.n
    assert not found.flags


def test_it_goes_on_until_p99_is_supported() -> None:
    recording = measure_alone(Scripted(noisy(20.0, 0.01)), MeasureLimits(0.1, 1.0, 30.0), silent)
    assert 299 <= recording.n <= 299 * 1.2 + 20  # it looks again when there is a fifth more to see


def test_noise_is_timed_longer_and_flagged_only_if_the_limit_does_not_help() -> None:
    recording = measure_alone(Scripted(noisy(2.0, 0.2)), MeasureLimits(0.1, 0.2, 60.0), silent)
    assert recording.window_s > 0.5
    assert not summarise(recording, 1).flags
    (flag,) = summarise(measure_alone(Scripted(noisy(20.0, 0.5)), MeasureLimits(0.1, 0.5, 2.0), silent), 1).flags
    assert flag.kind == FLAG_KIND_UNSTABLE
    assert "known to" in flag.evidence


def test_an_engine_that_slows_down_is_unstable_and_the_evidence_says_so() -> None:
    found = summarise(measure_alone(Scripted(lambda now: 2.0 + now), MeasureLimits(0.1, 1.0, 2.0), silent), 1)
    assert [flag.kind for flag in found.flags] == [FLAG_KIND_UNSTABLE]
    assert "above the first" in found.flags[0].evidence


def test_a_slow_engine_has_a_median_but_no_interval() -> None:
    found = summarise(measure_alone(Scripted(noisy(1000.0, 0.01)), MeasureLimits(0.1, 1.0, 12.0), silent), 1)
    assert found.n == 10
    assert found.metrics["p50_ms"].HasField("value")
    assert not found.metrics["p50_ms"].HasField("low")
    assert not found.metrics["p99_ms"].HasField("value")
    assert found.metrics["p99_ms"].reason == "n=10 < 299"
    assert found.metrics["p90_ms"].reason == "n=10 < 29"
    assert [flag.kind for flag in found.flags] == [FLAG_KIND_TOO_FEW_SAMPLES]


@pytest.mark.parametrize(("latency_s", "most"), [(30.0, 4), (8.0, 7), (3.0, 15)])
def test_a_very_slow_engine_is_measured_with_few_inferences_and_says_so(latency_s: float, most: int) -> None:
    session = Scripted(noisy(latency_s * 1e3, 0.01))
    inferences: list[str] = []
    recording = measure_alone(session, MeasureLimits(1.0, 1.0, 30.0), lambda phase, *_: inferences.append(phase))
    assert len(session.collector_was_on) <= most
    assert session.now_ns / 1e9 <= max(30.0 + 2 * latency_s, 4.1 * latency_s)
    found = summarise(recording, 1)
    assert found.n >= 3
    assert found.metrics["p50_ms"].value == pytest.approx(latency_s * 1e3, rel=0.03)
    assert found.metrics["throughput_per_s"].value == pytest.approx(1 / latency_s, rel=0.03)
    few = [flag.evidence for flag in found.flags if flag.kind == FLAG_KIND_TOO_FEW_SAMPLES]
    assert bool(few) == (not found.metrics["p50_ms"].HasField("low"))


def test_the_pace_is_told_while_it_is_measured() -> None:
    heard: list[tuple[str, str]] = []
    session = Scripted(noisy(30e3, 0.0))
    measure_alone(session, MeasureLimits(1.0, 1.0, 30.0), lambda phase, _, detail: heard.append((phase, detail)))
    assert ("warm-up", "30 s per inference") in heard
    assert heard[-1] == ("measure", "3 samples, 30 s per inference")


def test_warm_up_lasts_as_long_as_asked_and_until_steady() -> None:
    steady = measure_alone(Scripted(lambda now: 2.0), MeasureLimits(0.5, 0.1, 1.0), silent)
    assert 0.5 <= steady.warmup_s < 0.6
    settling = Scripted(lambda now: 2.0 if now > 0.8 else 4.0 - 2 * now)
    recording = measure_alone(settling, MeasureLimits(0.1, 0.1, 1.0), silent)
    assert 0.8 <= recording.warmup_s < 1.1
    assert max(float(block.max()) for block in recording.rounds) == pytest.approx(2.0)


def test_warm_up_of_an_engine_that_never_settles_ends() -> None:
    limits = MeasureLimits(0.5, 0.1, 1.0)
    recording = measure_alone(Scripted(noisy(2.0, 0.9)), limits, silent)
    assert limits.longest_warmup_s <= recording.warmup_s < limits.longest_warmup_s + 0.1


def test_time_between_rounds_is_not_the_engines() -> None:
    recording = measure_alone(Scripted(lambda now: 1.0, bookkeeping_ms=500.0), MeasureLimits(0.1, 0.5, 5.0), silent)
    assert summarise(recording, 1).metrics["throughput_per_s"].value == pytest.approx(1000, rel=0.01)
    assert max(float(block.max()) for block in recording.rounds) == pytest.approx(1.0)


def test_an_engine_alone_runs_in_the_callers_thread_in_rounds_of_one_size() -> None:
    threads: set[int] = set()

    def latency_ms(now: float) -> float:
        threads.add(threading.get_ident())
        return 2.0

    recording = measure_alone(Scripted(latency_ms), MeasureLimits(0.1, 1.0, 10.0), silent)
    assert threads == {threading.get_ident()}
    assert {len(block) for block in recording.rounds} == {round_size(0.002, MeasureLimits(0.1, 1.0, 10.0))}
    assert recording.window_s == pytest.approx(0.002 * recording.n)


def test_the_first_inference_of_a_round_is_not_a_sample() -> None:
    session = Scripted(lambda now: 20.0 if session.prepared and not session.done else 2.0)
    recording = measure_alone(session, MeasureLimits(0.1, 0.5, 5.0), silent)
    assert len(session.prepared) == len(recording.rounds) > 1
    assert max(float(block.max()) for block in recording.rounds) == 2.0
    assert recording.window_s == pytest.approx(0.002 * recording.n)


def test_nothing_is_collected_while_timing_and_the_collector_is_put_back() -> None:
    session = Scripted(lambda now: 2.0)
    measure_alone(session, MeasureLimits(0.0, 0.1, 1.0), silent)
    timed = sum(session.prepared)
    assert timed > 0
    assert not any(session.collector_was_on[-timed:])
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_the_devices_own_clock_is_believed_and_the_stages_add_up() -> None:
    found = summarise(measure_alone(WithEvents(lambda now: 1.5), MeasureLimits(0.1, 0.1, 1.0), silent), 1)
    assert found.metrics["p50_ms"].value == pytest.approx(1.25)
    stages = {stage: found.metrics[f"{stage}_p50_ms"].value for stage in STAGES if stage not in ELSEWHERE}
    assert stages == {
        "latency": 1.25,
        "h2d": 0.25,
        "compute": 0.75,
        "d2h": 0.25,
        "enqueue": 0.1,  # by the host's clock, inside the others
        "e2e": 1.5,
        "residual": 0.25,  # what the host saw beyond the device's own clock
    }
    assert stages["h2d"] + stages["compute"] + stages["d2h"] == found.metrics["p50_ms"].value
    assert found.metrics["p50_ms"].value + stages["residual"] == stages["e2e"]
    assert found.metrics["throughput_per_s"].value == pytest.approx(1000 / stages["e2e"])


def test_every_stage_has_every_statistic_and_a_cpu_session_no_copies() -> None:
    limits = MeasureLimits(0.1, 1.0, 2.0)
    on_gpu = summarise(measure_alone(WithEvents(lambda now: 1.5), limits, silent), 1)
    assert {metric.name for metric in METRICS if metric.statistic and metric.stage not in ELSEWHERE} <= set(
        on_gpu.metrics
    )
    on_cpu = summarise(measure_alone(Scripted(lambda now: 1.5), limits, silent), 1)
    of_stages = {metric.stage for metric in METRICS if metric.name in on_cpu.metrics}
    assert of_stages == {"", "compute", "latency", "e2e"}  # absent, not zero
    assert on_cpu.metrics["compute_p99_ms"].value == on_cpu.metrics["e2e_p99_ms"].value == pytest.approx(1.5)


def test_what_an_agent_sends_is_declared() -> None:
    found = summarise(measure_alone(WithEvents(lambda now: 1.5), MeasureLimits(0.1, 0.1, 1.0), silent), 1)
    assert set(found.metrics) <= NAMES


@pytest.mark.parametrize(
    ("latency_s", "limits", "count"),
    [
        (0.001, MeasureLimits(0, 1, 10), 100),  # a tenth of the shortest window
        (0.02, MeasureLimits(0, 1, 10), 20),  # enough for a median
        (0.2, MeasureLimits(0, 1, 10), 5),  # as many as ten rounds leave room for
        (1.9, MeasureLimits(0, 1, 10), 5),  # a median needs some
        (5.0, MeasureLimits(0, 1, 10), 1),  # so slow that each is a round
        (1e-5, MeasureLimits(0, 60, 60), 100_000),  # a second at most
    ],
)
def test_round_size(latency_s: float, limits: MeasureLimits, count: int) -> None:
    assert round_size(latency_s, limits) == count


def test_flags_need_no_more_than_rounds() -> None:
    assert not find_flags([np.full(20, 2.0)] * 6)
    (few,) = find_flags([np.full(20, 2.0)] * 4)
    assert few.kind == FLAG_KIND_TOO_FEW_SAMPLES
    assert "4 rounds" in few.evidence


def test_correlated_samples_have_a_p99_but_no_interval_for_it() -> None:
    calm, busy = np.full(200, 1.0), np.full(200, 9.0)
    recording = Recording(window_s=1.0, rounds=[calm, calm, calm, busy, calm, calm])
    found = summarise(recording, 1)
    assert found.metrics["p99_ms"].value == 9.0
    assert not found.metrics["p90_ms"].HasField("low")
    assert "independent samples" in found.metrics["p90_ms"].reason


def test_an_untimed_measurement_gives_the_reason_everywhere() -> None:
    found = untimed("not timed: wrong")
    assert found.n == 0
    assert {found.metrics["p50_ms"].reason, found.metrics["p90_ms"].reason, found.metrics["p99_ms"].reason} == {
        "not timed: wrong"
    }
    assert not found.metrics["p50_ms"].HasField("value")


def test_options_are_read_in_seconds() -> None:
    task = BenchTask(schedule=BenchTask.SCHEDULE_ALONE, subjects=[Subject()], measure=measure_options(0.5, 1, 10))
    assert check_options(task) == MeasureLimits(0.5, 1.0, 2.0, alone=False)  # a fifth of the longest window each
    task.measure.runs = 1
    assert check_options(task) == MeasureLimits(0.5, 1.0, 10.0)
    task.measure.runs = 20
    assert check_options(task) == MeasureLimits(0.5, 1.0, 1.0, alone=False)
    assert check_options(task, RunRole(7, shortest_window_s=3.0)) == MeasureLimits(0.5, 3.0, 3.0, run=7, alone=False)
    task.schedule = BenchTask.SCHEDULE_CONCURRENT
    task.subjects.add()
    assert check_options(task) == MeasureLimits(0.5, 1.0, 1.0, alone=False)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (BenchTask(measure=MeasureOptions()), "MODE_UNSPECIFIED"),
        (BenchTask(measure=measure_options(0, 1, 2), schedule=BenchTask.SCHEDULE_CONCURRENT), "SCHEDULE_CONCURRENT"),
        (BenchTask(measure=measure_options(0, 1, 2), schedule=BenchTask.SCHEDULE_ALONE), "0 subjects"),
        (
            BenchTask(measure=measure_options(0, 1, 2), schedule=BenchTask.SCHEDULE_CONCURRENT, subjects=[Subject()]),
            "1 subjects in SCHEDULE_CONCURRENT",
        ),
        (
            BenchTask(
                measure=measure_options(0, 1, 2), schedule=BenchTask.SCHEDULE_INTERLEAVED, subjects=[Subject()] * 3
            ),
            "3 subjects in SCHEDULE_INTERLEAVED",
        ),
        (
            BenchTask(measure=measure_options(0, 3, 2), schedule=BenchTask.SCHEDULE_ALONE, subjects=[Subject()]),
            "3 to 2 s",
        ),
    ],
)
def test_what_is_not_implemented_or_makes_no_sense_is_refused(task: BenchTask, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check_options(task)


def test_windows_are_known_by_the_sessions_own_clock() -> None:
    session = Scripted(noisy(2.0, 0.01))
    began_ns = session.clock()
    found = measure_lanes([Lane(session, CallerThread())], MeasureLimits(0.1, 0.5, 2.0), silent)
    assert [(end - begin) / 1e9 for begin, end in found.windows_ns] == pytest.approx(found.windows_s)
    edges = [edge for window in found.windows_ns for edge in window]
    assert edges == sorted(edges)
    assert began_ns + 0.1e9 < edges[0], "the warm-up is in no window"
    assert edges[-1] <= session.clock()


@pytest.mark.parametrize(("enqueue_ms", "bound"), [(0.9, True), (LAUNCH_SHARE, False), (0.1, False)])
def test_launches_that_take_as_long_as_the_work_are_a_remark(enqueue_ms: float, bound: bool) -> None:
    stages = {"compute": [np.full(20, 1.0)] * 6, "enqueue": [np.full(20, enqueue_ms)] * 6}
    found = launch_flags(stages)
    assert [flag.kind for flag in found] == ([FLAG_KIND_BOUND_BY_LAUNCHES] if bound else [])
    assert not bound or "enqueue takes 0.9 ms, compute 1 ms" in found[0].evidence
    assert launch_flags({"compute": stages["compute"]}) == [], "a CPU has nothing to enqueue"
