"""Modes paced and throughput: the loop on sessions with scripted latencies, and whole BENCHes through real runtimes."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.attempt import AttemptDir
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from agent.runtime.waiting import clock_ns, wait_until
from agent.work.bench import run_bench
from agent.work.measure import MeasureLimits, check_options, measure, measure_alone
from agent.work.pace import ArrivalPattern
from agent.work.streams import by_subject
from agent.work.summary import summarise
from agent.work.timeline import MOST_INFERENCES
from agent.work.together import Lane
from jetfleet.errors import BadInput
from jetfleet.plausible import impossible_number
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_TIMELINE,
    FLAG_KIND_INTERFERED,
    FLAG_KIND_UNSTABLE,
    FLAG_KIND_WRONG_OUTPUT,
    Measurement,
    MeasureOptions,
    Outcome,
    OutputCheck,
    TaskSpec,
)
from tests.agent.builders import Blobs, bench_task, build_task, classifier, nowhere, scores
from tests.agent.fake_runtime import MODULES, FakeRuntime, FakeSession
from tests.agent.scripted import Scripted, WithEvents, noisy, silent

PACE = ArrivalPattern(50.0, 0.020)
OFF = OutputCheck(rule=OutputCheck.RULE_OFF)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.registry._MODULES", MODULES)
    monkeypatch.setattr(FakeRuntime, "sessions", [])


def paced(
    session: Scripted, pace: ArrivalPattern = PACE, *, limits: tuple[float, float, float] = (0.2, 1.0, 10.0)
) -> Measurement:
    return summarise(measure_alone(session, MeasureLimits(*limits, pace=pace), silent), 2)


def value(found: Measurement, name: str) -> float:
    assert found.metrics[name].HasField("value"), name
    return found.metrics[name].value


def test_a_quick_engine_answers_every_arrival_in_time() -> None:
    found = paced(Scripted(noisy(2.0, 0.01)))
    assert found.n == 368
    assert not found.flags
    assert value(found, "paced_miss_share") == 0
    assert value(found, "response_p50_ms") == value(found, "e2e_p50_ms") == value(found, "p50_ms")
    assert value(found, "queue_max_ms") == 0
    assert value(found, "throughput_per_s") == pytest.approx(100, rel=0.01)  # what arrives, times the batch
    assert value(found, "paced_busy_share") == pytest.approx(0.1, rel=0.05)


def test_one_slow_inference_makes_those_behind_it_late_too() -> None:
    """What back to back would count as one slow inference of 400, is 5 misses in a row of arrivals that waited."""
    session = Scripted(lambda now: 100.0 if session.done == 100 else 2.0)
    found = paced(session)
    assert value(found, "max_ms") == 100.0
    assert value(found, "paced_miss_run_max") == 5
    assert value(found, "paced_miss_runs") == 1
    assert value(found, "paced_miss_share") == pytest.approx(5 / 368)
    assert value(found, "response_max_ms") == 100.0
    assert value(found, "queue_max_ms") == pytest.approx(80.0)
    assert value(found, "p50_ms") == 2.0


def test_an_engine_that_slows_down_when_it_rests_is_slower_than_back_to_back() -> None:
    last = 0.0

    def latency_ms(now: float) -> float:
        nonlocal last
        rested, took = now - last > 0.005, 2.0
        last = now + took / 1e3
        return 3.0 if rested else took

    found = paced(Scripted(latency_ms))
    assert value(found, "after_idle_p50_ms") == pytest.approx(3.0)
    assert value(found, "back_to_back_p50_ms") == pytest.approx(2.0)


def test_few_arrivals_are_no_more_in_a_second_than_arrive() -> None:
    found = paced(Scripted(lambda now: 2.0), limits=(0.2, 0.04, 0.04))
    assert found.n == 2
    assert value(found, "throughput_per_s") == pytest.approx(2 * 50.0)  # items, of a batch of two
    assert value(found, "paced_busy_share") == pytest.approx(0.1)


def test_an_engine_that_cannot_keep_up_is_unstable_and_ends() -> None:
    session = Scripted(lambda now: 30.0)
    found = paced(session, limits=(0.2, 1.0, 5.0))
    assert [flag.kind for flag in found.flags] == [FLAG_KIND_UNSTABLE]
    assert "cannot keep up with 50 Hz: an inference takes 30 ms" in found.flags[0].evidence
    assert value(found, "paced_miss_share") == 1.0
    assert value(found, "throughput_per_s") == pytest.approx(2 / 0.030, rel=0.01)  # not less for the warm-up's backlog
    assert value(found, "paced_busy_share") == pytest.approx(1.0, abs=0.01)
    assert session.now_ns / 1e9 < 0.2 + 5.0 * 1.1 + 2.0
    slower_than_all = paced(Scripted(lambda now: 20_000.0), limits=(0.2, 1.0, 5.0))
    assert slower_than_all.n == 1
    assert value(slower_than_all, "paced_miss_share") == 1.0


def test_stages_by_the_devices_clock_are_kept_beside_the_waits() -> None:
    found = paced(WithEvents(lambda now: 1.5))
    assert value(found, "p50_ms") == 1.25
    assert value(found, "compute_p50_ms") == 0.75
    assert value(found, "response_p50_ms") == 1.5


def test_subjects_together_answer_the_same_arrivals() -> None:
    with ExitStack() as stack:
        lanes = [
            Lane(session, stack.enter_context(ThreadPoolExecutor(1)))
            for session in (Scripted(lambda now: 2.0), Scripted(lambda now: 25.0))
        ]
        seen = measure(lanes, MeasureLimits(0.2, 1.0, 5.0, pace=PACE), silent)
    quick, slow = (summarise(recording, 1) for recording in seen.recordings)
    assert value(quick, "paced_miss_share") == 0
    assert value(slow, "paced_miss_share") == 1
    assert seen.window_s >= 5.0


def test_a_loop_that_stood_still_between_arrivals_is_seen() -> None:
    class Sleepy(Scripted):
        def wait_until(self, at_ns: int) -> None:
            super().wait_until(at_ns + (300_000_000 if self.done == 120 else 0))

    recorded = measure(
        [Lane(Sleepy(lambda now: 2.0), ThreadPoolExecutor(1))], MeasureLimits(0.2, 1.0, 9.0, PACE), silent
    )
    assert [round(gap.length_s, 3) for gap in recorded.gaps] == [0.3]


def test_streams_of_a_subject_are_one_recording_whose_rates_add_up() -> None:
    with ExitStack() as stack:
        sessions = [Scripted(lambda now: 2.0), Scripted(lambda now: 4.0), Scripted(lambda now: 5.0)]
        lanes = [Lane(session, stack.enter_context(ThreadPoolExecutor(1))) for session in sessions]
        seen = by_subject(measure(lanes, MeasureLimits(0.2, 1.0, 5.0), silent), [2, 1])
    both, other = (summarise(recording, 1) for recording in seen.recordings)
    assert value(both, "throughput_per_s") == pytest.approx(750, rel=0.01)
    assert value(other, "throughput_per_s") == pytest.approx(200, rel=0.01)
    assert both.n == sum(item.n for item in both.rounds)
    assert value(both, "p50_ms") == 2.0
    assert value(both, "max_ms") == 4.0
    assert [len(block) for block in seen.recordings[0].stages["e2e"]] == [item.n for item in both.rounds]


def test_a_wait_ends_at_its_moment_and_one_in_the_past_at_once() -> None:
    at_ns = clock_ns() + 5_000_000
    wait_until(at_ns)
    assert clock_ns() >= at_ns
    wait_until(0)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store")


def in_mode(spec: TaskSpec, mode: "MeasureOptions.Mode.ValueType", **fields: float) -> TaskSpec:
    spec.bench.measure.mode = mode
    for name, number in fields.items():
        setattr(spec.bench.measure, name, number)
    return spec


def bench(spec: TaskSpec, folder: Path, blobs: Blobs) -> Measurement:
    attempt = AttemptDir(folder / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    outcome = run_bench(spec.bench, attempt, silent, {})
    assert impossible_number(outcome) == ""
    check_timeline(outcome, attempt)
    (found,) = outcome.measured.measurements
    return found


def check_timeline(outcome: Outcome, attempt: AttemptDir) -> None:
    """Each inference is in it, as often as it was counted."""
    (measured,) = outcome.measured.measurements
    files = [item for item in outcome.artifacts if item.role == ARTIFACT_ROLE_TIMELINE]
    if not measured.n:
        assert not files
        return
    (file,) = files
    with np.load(attempt.out / file.sha256) as arrays:
        about = json.loads(arrays["about"].tobytes())
        columns = {name.partition(".")[2]: arrays[name] for name in arrays.files if name != "about"}
    assert [name for name, _, _ in about["phases"]][:4] == ["load", "check", "warm-up", "measure"]
    assert {len(values) for values in columns.values()} == {min(measured.n, MOST_INFERENCES)}
    assert np.all(np.diff(columns["begin_ms"]) >= 0)
    assert columns["begin_ms"][0] >= 0
    assert set(columns["stream"]) <= set(range(int(measured.circumstances.get("streams", "1"))))


def classifier_task(blobs: Blobs, folder: Path, **options: str) -> TaskSpec:
    """A BENCH of a real graph on the CPU, with its inputs and the right answers."""
    model, weights = classifier()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    task = build_task(blobs, runtime="onnxruntime").build
    OnnxRuntime().build(task, folder, folder / "engine", nowhere, silent)
    x = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)
    return bench_task(
        blobs,
        engine=(folder / "engine").read_bytes(),
        runtime="onnxruntime",
        artifacts=blobs.references({"x": x}, {"scores": scores(weights, x)}),
        seconds=(0.05, 0.3, 2.0),
        threads="1",
        **options,
    )


@pytest.mark.parametrize(
    ("options", "fields", "message"),
    [
        ({}, {"rate_hz": 0.0}, "0 Hz is not a valid rate"),
        ({}, {"rate_hz": float("inf")}, "inf Hz is not a valid rate"),
        ({"inflight": "2"}, {"rate_hz": 10.0}, "a paced subject has one inference in flight"),
    ],
)
def test_a_pace_that_makes_no_sense_is_refused(
    blobs: Blobs, options: dict[str, str], fields: dict[str, float], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        check_options(in_mode(bench_task(blobs, **options), MeasureOptions.MODE_PACED, **fields).bench)


def test_streams_are_of_throughput_alone(blobs: Blobs) -> None:
    spec = bench_task(blobs)
    spec.bench.subjects[0].streams = 2
    with pytest.raises(BadInput, match="2 streams"):
        check_options(spec.bench)
    assert check_options(in_mode(spec, MeasureOptions.MODE_THROUGHPUT).bench).pace is None


def test_the_simulated_runtime_runs_at_a_pace_on_its_own_clock(blobs: Blobs, tmp_path: Path) -> None:
    spec = bench_task(blobs, latency_ms="3", after_idle="0.5", jitter="0.01", seconds=(0.1, 1.0, 2000.0))
    found = bench(in_mode(spec, MeasureOptions.MODE_PACED, rate_hz=1.0), tmp_path, blobs)
    assert found.n == 368  # six minutes that nobody waits for
    assert value(found, "after_idle_p50_ms") == pytest.approx(4.5, rel=0.02)
    assert value(found, "back_to_back_p50_ms") == pytest.approx(3.0, rel=0.02)
    assert dict(found.circumstances) == {"arrivals": "1 Hz, fixed", "deadline": "1000 ms"}


def test_the_simulated_runtime_has_streams(blobs: Blobs, tmp_path: Path) -> None:
    spec = in_mode(bench_task(blobs, latency_ms="2", jitter="0.01"), MeasureOptions.MODE_THROUGHPUT)
    spec.bench.subjects[0].streams = 3
    found = bench(spec, tmp_path, blobs)
    assert value(found, "throughput_per_s") == pytest.approx(3 * 2 * 500, rel=0.02)
    assert found.circumstances["streams"] == "3"


def test_a_real_graph_has_several_inferences_in_flight(blobs: Blobs, tmp_path: Path) -> None:
    spec = in_mode(classifier_task(blobs, tmp_path), MeasureOptions.MODE_THROUGHPUT)
    spec.bench.subjects[0].streams = 2
    found = bench(spec, tmp_path, blobs)
    assert all(check.passed for check in found.checks)
    assert found.n > 0
    assert value(found, "throughput_per_s") > 0
    # Microseconds are too short for two threads of Python: the row says so.
    assert FLAG_KIND_INTERFERED in [flag.kind for flag in found.flags]


def test_a_real_graph_is_paced_by_a_real_clock(blobs: Blobs, tmp_path: Path) -> None:
    spec = in_mode(
        classifier_task(blobs, tmp_path),
        MeasureOptions.MODE_PACED,
        rate_hz=200.0,
        arrivals=MeasureOptions.ARRIVALS_POISSON,
        arrivals_seed=3,
    )
    spec.bench.measure.runs = 1
    found = bench(spec, tmp_path, blobs)
    assert found.n > 200
    assert value(found, "throughput_per_s") == pytest.approx(2 * 200, rel=0.3)  # as it happens to arrive
    assert value(found, "response_p50_ms") >= value(found, "e2e_p50_ms")
    assert value(found, "wake_error_p50_ms") >= 0
    assert found.circumstances["arrivals"] == "200 Hz, poisson (seed 3)"


@pytest.mark.usefixtures("fake")
def test_each_stream_lives_in_a_thread_of_its_own_and_is_closed_first(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[FakeSession] = []
    close = FakeSession.close
    monkeypatch.setattr(FakeSession, "close", lambda session: (closed.append(session), close(session)))
    spec = in_mode(bench_task(blobs, runtime="fake", check=OFF, seconds=(0, 0.1, 1.0)), MeasureOptions.MODE_THROUGHPUT)
    spec.bench.subjects[0].streams = 3
    found = bench(spec, tmp_path, blobs)
    assert len({session.thread for session in FakeRuntime.sessions}) == 3
    assert not any(session.is_open for session in FakeRuntime.sessions)
    assert closed[-1] is FakeRuntime.sessions[0]
    assert value(found, "p50_ms") == 0.5  # by the device's clock


@pytest.mark.usefixtures("fake")
def test_a_stream_that_answers_wrongly_spoils_the_row(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FakeSession.outputs

    def outputs(session: FakeSession) -> dict[str, Any]:
        found = first(session)
        return found if session is FakeRuntime.sessions[0] else {name: array + 1 for name, array in found.items()}

    monkeypatch.setattr(FakeSession, "outputs", outputs)
    references = blobs.references({}, {"y": np.ones(3, np.float32)})
    spec = bench_task(blobs, runtime="fake", artifacts=references, seconds=(0, 0.1, 1.0))
    spec.bench.subjects[0].streams = 2
    found = bench(in_mode(spec, MeasureOptions.MODE_THROUGHPUT), tmp_path, blobs)
    assert FLAG_KIND_WRONG_OUTPUT in [flag.kind for flag in found.flags]
