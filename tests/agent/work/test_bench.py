"""BENCH tasks of several subjects, from their task to their outcome: simulated, faked, and on the real ONNX Runtime."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.attempt import AttemptDir, outputs_of
from agent.runtime.base import RoundRecord
from agent.runtime.simulated import SimulatedRuntime
from agent.work.bench import run_bench, share_threads
from agent.work.main import Reporter, run
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    ARTIFACT_ROLE_LAYER_PROFILE,
    ARTIFACT_ROLE_LAYERS,
    FAILURE_KIND_DEVICE_FAULT,
    FLAG_KIND_CLOCK_DRIFT,
    FLAG_KIND_LAYERS_OVERLAP,
    FLAG_KIND_PRECISION_NOT_HONOURED,
    FLAG_KIND_TACTICS_SKIPPED,
    FLAG_KIND_THROTTLED,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNCHECKED,
    FLAG_KIND_WRONG_OUTPUT,
    PRECISION_FP16,
    PROVENANCE_MEASURED,
    PROVENANCE_SIMULATED,
    BenchTask,
    Flag,
    Measurement,
    Outcome,
    OutputCheck,
    Subject,
    TaskSpec,
)
from testing.boards.jetson import jetson
from tests.agent.builders import Blobs, bench_task, build_task, classifier
from tests.agent.fake_runtime import MODULES, FakeRuntime, FakeSession

OUTPUT = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
CLOCK_DRIFT, THROTTLED = FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_THROTTLED
OFF = OutputCheck(rule=OutputCheck.RULE_OFF)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store")


def concurrent(*tasks: TaskSpec, placements: Sequence[str]) -> TaskSpec:
    """One task of the subjects of several, each on its placement."""
    spec = TaskSpec()
    spec.CopyFrom(tasks[0])
    spec.bench.schedule = BenchTask.SCHEDULE_CONCURRENT
    del spec.bench.subjects[:]
    for task, placement in zip(tasks, placements, strict=True):
        subject = spec.bench.subjects.add()
        subject.CopyFrom(task.bench.subjects[0])
        subject.placement = placement
    return spec


def done(spec: TaskSpec, folder: Path, blobs: Blobs) -> tuple[Outcome, AttemptDir]:
    attempt = AttemptDir(folder / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    return run(attempt, Reporter(None)), attempt


def parts_and_aggregate(outcome: Outcome) -> tuple[list[Measurement], Measurement]:
    assert outcome.HasField("measured"), outcome
    *parts, aggregate = outcome.measured.measurements
    assert [part.subject_index for part in parts] == list(range(len(parts)))
    assert all(part.HasField("subject_index") for part in parts)
    assert not aggregate.HasField("subject_index")
    return parts, aggregate


def noted(outcome: Outcome, attempt: AttemptDir) -> dict[str, Any]:
    (sha256,) = [item.sha256 for item in outcome.artifacts if item.role == ARTIFACT_ROLE_ENVIRONMENT]
    found: dict[str, Any] = json.loads((attempt.out / sha256).read_text())["runtime"]
    return found


def test_simulated_subjects_have_rows_of_their_own_and_one_for_the_aggregate(tmp_path: Path, blobs: Blobs) -> None:
    references = blobs.references({}, {"y": OUTPUT})
    spec = concurrent(
        bench_task(blobs, artifacts=references, latency_ms="2", jitter="0"),
        bench_task(blobs, artifacts=references, latency_ms="8", jitter="0"),
        bench_task(blobs, artifacts=references, latency_ms="10", jitter="0"),
        placements=["gpu", "dla0", "dla1"],
    )
    outcome, attempt = done(spec, tmp_path, blobs)
    parts, aggregate = parts_and_aggregate(outcome)
    assert [part.metrics["p50_ms"].value for part in parts] == [2.0, 8.0, 10.0]
    assert [part.metrics["throughput_per_s"].value for part in parts] == pytest.approx([1000, 250, 200])  # batch 2
    assert aggregate.metrics["throughput_per_s"].value == pytest.approx(1450)
    assert aggregate.n == sum(part.n for part in parts)
    assert [len(part.rounds) for part in parts] == [len(parts[0].rounds)] * 3
    assert not any(item.flags for item in (*parts, aggregate))
    assert {item.provenance for item in (*parts, aggregate)} == {PROVENANCE_SIMULATED}
    assert {item.processes for item in (*parts, aggregate)} == {1}
    assert all(part.checks[0].passed for part in parts)
    files = [part.runs[0].samples for part in parts]
    names = [file.name for file in files]
    assert names == ["samples-0.npy", "samples-1.npy", "samples-2.npy"]
    for part, file in zip(parts, files, strict=True):
        assert file in outputs_of(outcome)
        assert len(np.load(attempt.out / file.sha256, allow_pickle=False)) == part.n
    assert noted(outcome, attempt)["1.latency_ms"] == "8.0"


def test_one_wrong_subject_and_nothing_is_timed(tmp_path: Path, blobs: Blobs) -> None:
    references = blobs.references({}, {"y": OUTPUT})
    right = bench_task(blobs, artifacts=references)
    wrong = bench_task(blobs, artifacts=references, output_error="0.1")
    outcome, _ = done(concurrent(right, wrong, placements=["gpu", "dla0"]), tmp_path, blobs)
    (beside, bad), aggregate = parts_and_aggregate(outcome)
    assert [flag.kind for flag in bad.flags] == [FLAG_KIND_WRONG_OUTPUT]
    assert [flag.kind for flag in beside.flags] == [FLAG_KIND_TOO_FEW_SAMPLES]
    assert beside.metrics["p50_ms"].reason == "not timed: the outputs of subject 1 on dla0 are wrong"
    assert beside.checks[0].passed
    assert not bad.checks[0].passed
    assert {item.n for item in (beside, bad, aggregate)} == {0}
    assert {flag.kind for flag in aggregate.flags} == {FLAG_KIND_WRONG_OUTPUT, FLAG_KIND_TOO_FEW_SAMPLES}
    assert any(flag.evidence.startswith("subject 1 on dla0: y: ") for flag in aggregate.flags)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.registry._MODULES", MODULES)
    monkeypatch.setattr(FakeRuntime, "sessions", [])
    monkeypatch.setattr(FakeRuntime, "inspected", [])


def fakes(blobs: Blobs, *options: dict[str, str], placements: Sequence[str]) -> TaskSpec:
    tasks = [bench_task(blobs, runtime="fake", check=OFF, seconds=(0, 0.1, 1.0), **each) for each in options]
    for task in tasks:
        task.bench.subjects[0].precision = PRECISION_FP16
    return concurrent(*tasks, placements=placements) if len(tasks) > 1 else tasks[0]


@pytest.mark.usefixtures("fake")
def test_a_session_lives_in_one_thread_and_is_inspected_when_all_are_closed(tmp_path: Path, blobs: Blobs) -> None:
    spec = fakes(blobs, {}, {"type": "float32"}, placements=["gpu", "dla1"])
    outcome, attempt = done(spec, tmp_path, blobs)
    (first, second), aggregate = parts_and_aggregate(outcome)
    assert len({session.thread for session in FakeRuntime.sessions}) == 2
    assert not any(session.is_open for session in FakeRuntime.sessions)
    assert first.metrics["p50_ms"].value == 0.5
    assert "compute_p50_ms" in first.metrics
    assert "dla_time_share" not in first.metrics
    assert second.metrics["dla_time_share"].value == 0.75
    honoured = FLAG_KIND_PRECISION_NOT_HONOURED
    assert honoured not in [flag.kind for flag in first.flags]
    (flag,) = [flag for flag in second.flags if flag.kind == honoured]
    assert [item.evidence for item in aggregate.flags if item.kind == honoured] == [
        f"subject 1 on dla1: {flag.evidence}"
    ]
    found = {(item.role, item.name): item for item in outcome.artifacts}
    for index in range(2):
        assert (ARTIFACT_ROLE_LAYERS, f"layers-{index}.json") in found
        profile = found[ARTIFACT_ROLE_LAYER_PROFILE, f"layer-profile-{index}.json"]
        assert json.loads((attempt.out / profile.sha256).read_text()) == {
            "runs": 10,
            "aux_streams": 0,
            "overlap": False,
            "layers": [{"name": "conv", "ms": 3.0, "share": 0.75}, {"name": "copy", "ms": 1.0, "share": 0.25}],
        }
    assert noted(outcome, attempt)["1.precision"].startswith("1 of 1 compute nodes ran in float32")


def test_the_child_writes_no_number_that_cannot_be(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedRuntime, "provenance", PROVENANCE_MEASURED)
    outcome, _ = done(bench_task(blobs, artifacts=blobs.references({}, {"y": OUTPUT})), tmp_path, blobs)
    assert outcome.failure.kind == FAILURE_KIND_DEVICE_FAULT
    assert "a provenance that simulated does not have" in outcome.failure.message


@pytest.mark.usefixtures("fake")
def test_a_subject_alone_is_inspected_whatever_its_precision(tmp_path: Path, blobs: Blobs) -> None:
    outcome, attempt = done(fakes(blobs, {}, placements=["gpu"]), tmp_path, blobs)
    (found,) = outcome.measured.measurements
    assert found.n > 0
    names = {item.name for item in outcome.artifacts}
    files = {"layers.json", "layer-profile.json", "environment.json", "telemetry.0.jsonl", "timeline.0.npz"}
    assert files == names
    assert noted(outcome, attempt)["placed"] == "cpu"


@pytest.mark.usefixtures("fake")
def test_layers_that_ran_side_by_side_are_marked(tmp_path: Path, blobs: Blobs) -> None:
    spec = fakes(blobs, {"aux_streams": "2"}, {"aux_streams": "2"}, placements=["gpu", "dla0"])
    outcome, attempt = done(spec, tmp_path, blobs)
    (on_gpu, on_dla), aggregate = parts_and_aggregate(outcome)
    assert FLAG_KIND_LAYERS_OVERLAP not in [flag.kind for flag in (*on_gpu.flags, *aggregate.flags)]
    (flag,) = [flag for flag in on_dla.flags if flag.kind == FLAG_KIND_LAYERS_OVERLAP]
    assert "2 auxiliary streams" in flag.evidence
    profiles = [item for item in outcome.artifacts if item.role == ARTIFACT_ROLE_LAYER_PROFILE]
    assert all(json.loads((attempt.out / item.sha256).read_text())["overlap"] is True for item in profiles)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("meanwhile", [True, False])
def test_clocks_are_read_around_the_windows_and_a_change_is_a_flag(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    """On an Orin's tree whose clocks somebody locks, and which lacks current, before or while it is measured."""
    root = jetson("orin-nano-8gb", "6.2").write(tmp_path / "root")
    devfreq, oc3 = root / "sys/class/devfreq/17000000.gpu", root / "sys/class/hwmon/hwmon9/oc3_event_cnt"

    def disturb(session: FakeSession) -> RoundRecord:
        (devfreq / "min_freq").write_text("1020000000")
        oc3.write_text("3")
        return collect(session)

    collect = FakeSession.collect
    if meanwhile:
        monkeypatch.setattr(FakeSession, "collect", disturb)
    spec, notes = fakes(blobs, {}, {}, placements=["gpu", "dla0"]), dict[str, str]()
    attempt = AttemptDir(tmp_path / "attempt")
    attempt.create(spec)
    for path in blobs.folder.iterdir():
        (attempt.blobs / path.name).write_bytes(path.read_bytes())
    outcome = run_bench(spec.bench, attempt, Reporter(None), notes, root=root)
    for item in outcome.measured.measurements:
        assert dict(item.circumstances) == {
            "gpu_clocks": "locked at 1020 MHz" if meanwhile else "free, 306 to 1020 MHz",
            "cpu_clocks": "free, 730 to 1728 MHz",
            "emc_clocks": "unknown",
            "zero_copy": "off",
            "inflight": "1",
        }
        told = {flag.kind: flag.evidence for flag in item.flags if flag.kind in (CLOCK_DRIFT, THROTTLED)}
        assert set(told) == ({CLOCK_DRIFT, THROTTLED} if meanwhile else set())
        assert not meanwhile or "3 instantaneous over-current events" in told[THROTTLED]
    assert notes["clocks_before"].startswith("17000000.gpu 306 MHz (free, 306 to 1020 MHz, nvhost_podgov)")


@pytest.mark.usefixtures("fake")
def test_an_inspection_that_fails_costs_no_measurement(
    tmp_path: Path, blobs: Blobs, caplog: pytest.LogCaptureFixture
) -> None:
    outcome, attempt = done(fakes(blobs, {"inspect": "fail"}, {}, placements=["gpu", "dla0"]), tmp_path, blobs)
    (first, second), _ = parts_and_aggregate(outcome)
    assert first.n > 0
    assert second.metrics["dla_time_share"].value == 0.75  # the others are still looked into
    assert noted(outcome, attempt)["0.inspection"] == "failed: RuntimeError: the profiler is not well"
    assert "could not be inspected" in caplog.text
    assert len(FakeRuntime.inspected) == 2


@pytest.mark.usefixtures("fake")
def test_the_outcome_is_there_before_the_inspection(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    monkeypatch.setattr(FakeRuntime, "inspect", die)
    with pytest.raises(Died):
        done(fakes(blobs, {}, placements=["gpu"]), tmp_path, blobs)
    attempt = AttemptDir(tmp_path / "attempt")
    outcome = attempt.read_outcome()
    assert outcome is not None
    assert outcome.measured.measurements[0].n > 0
    assert noted(outcome, attempt)["inspection"] == "did not end"


def test_what_a_build_left_behind_is_the_subjects_and_no_fault_of_the_aggregate(tmp_path: Path, blobs: Blobs) -> None:
    spec = concurrent(*[bench_task(blobs, check=OFF, latency_ms="50", runs=1)] * 2, placements=["gpu", "dla0"])
    skipped = Flag(kind=FLAG_KIND_TACTICS_SKIPPED, evidence="3 tactics skipped")
    spec.bench.subjects[1].flags.append(skipped)
    (first, second), aggregate = parts_and_aggregate(done(spec, tmp_path, blobs)[0])
    assert skipped in second.flags
    assert skipped not in first.flags
    evidence = (
        "subject 0 on gpu and subject 1 on dla0: the job said check: off"  # what both have, the aggregate has once
    )
    assert list(aggregate.flags) == [Flag(kind=FLAG_KIND_UNCHECKED, evidence=evidence)]


def test_cpu_subjects_share_the_threads_out() -> None:
    def shared(available: str, *subjects: Subject) -> list[str]:
        share_threads(subjects, available)
        return [subject.options.get("threads", "") for subject in subjects]

    def cpu(**options: str) -> Subject:
        return Subject(runtime="onnxruntime", placement="cpu", options=options)

    gpu = Subject(runtime="onnxruntime", placement="gpu")
    assert shared("8", cpu(), cpu()) == ["4", "4"]
    assert shared("7", cpu(), cpu(), gpu) == ["3", "3", ""]
    assert shared("1", cpu(), cpu()) == ["1", "1"]
    assert shared("8", cpu(threads="6"), cpu()) == ["6", "4"]
    assert shared("many", cpu(), cpu()) == ["", ""]
    assert shared("8", Subject(runtime="simulated", placement="cpu"), cpu()) == ["", "8"]


def test_two_cpu_subjects_of_onnx_runtime_run_at_once(tmp_path: Path, blobs: Blobs, engine: bytes) -> None:
    alone = bench_task(blobs, engine=engine, runtime="onnxruntime", check=OFF, seconds=(0.1, 0.3, 2.0))
    outcome, attempt = done(concurrent(alone, alone, placements=["cpu", "cpu"]), tmp_path, blobs)
    parts, aggregate = parts_and_aggregate(outcome)
    assert {item.provenance for item in (*parts, aggregate)} == {PROVENANCE_MEASURED}
    for part in parts:
        assert part.n == sum(item.n for item in part.rounds) > 0
        assert 0 < part.metrics["min_ms"].value <= part.metrics["p50_ms"].value <= part.metrics["max_ms"].value
        assert part.window.ToNanoseconds() <= aggregate.window.ToNanoseconds()
    assert aggregate.metrics["throughput_per_s"].value == pytest.approx(
        sum(part.metrics["throughput_per_s"].value for part in parts)
    )
    notes = noted(outcome, attempt)
    threads = str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert [notes[f"{index}.intra_op_threads"] for index in (0, 1)] == [threads, threads]
    assert notes["0.precision"].startswith("1 of 1 compute nodes ran in float32")
    assert "waited_for_cpu" in notes


@pytest.fixture
def engine(tmp_path: Path, blobs: Blobs) -> bytes:
    (tmp_path / "build").mkdir()
    task = build_task(blobs, runtime="onnxruntime", model=classifier()[0].SerializeToString())
    outcome, attempt = done(task, tmp_path / "build", blobs)
    return (attempt.out / outcome.built.engine.sha256).read_bytes()
