"""Attempts as real processes: what ends well, and every way to die."""

import asyncio
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from agent.attempt import AttemptDir
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENVIRONMENT,
    ARTIFACT_ROLE_LOG,
    FAILURE_KIND_BAD_INPUT,
    FAILURE_KIND_BUILD_REFUSED,
    FAILURE_KIND_CRASHED,
    FAILURE_KIND_DEVICE_FAULT,
    FAILURE_KIND_INFRASTRUCTURE,
    FAILURE_KIND_OUT_OF_MEMORY,
    FAILURE_KIND_TIME_LIMIT,
    FLAG_KIND_WRONG_OUTPUT,
    PROVENANCE_SIMULATED,
    Estimate,
    Measured,
    Measurement,
    Outcome,
)
from tests.agent.builders import Blobs, bench_task, build_task, glutton
from tests.agent.daemon.attempts import Attempt, children_of_this_process, environment_of, failed

OUTPUT = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "store")


@pytest.fixture
def attempt(tmp_path: Path, blobs: Blobs) -> Attempt:
    return Attempt(tmp_path, blobs)


async def test_a_build_ends_with_an_engine_and_its_circumstances(attempt: Attempt, blobs: Blobs) -> None:
    outcome = await attempt.run(build_task(blobs))
    assert outcome.built.engine.size_bytes > 0
    assert outcome.built.peak_rss_bytes == outcome.peak_rss_bytes > 1 << 20
    assert '"affinity"' in attempt.text(outcome, ARTIFACT_ROLE_ENVIRONMENT)
    assert "build it" in attempt.text(outcome, ARTIFACT_ROLE_LOG)
    assert [progress.phase for progress in attempt.heard][:2] == ["fetch", "load"]


async def test_a_bench_ends_with_a_checked_measurement(attempt: Attempt, blobs: Blobs) -> None:
    outcome = await attempt.run(bench_task(blobs, artifacts=blobs.references({}, {"y": OUTPUT})))
    (found,) = outcome.measured.measurements
    assert found.provenance == PROVENANCE_SIMULATED
    assert found.HasField("subject_index")
    assert found.checks[0].passed
    assert not found.flags
    assert found.processes == len(found.runs) == 5
    for run in found.runs:
        samples = np.load(attempt.folder / "out" / run.samples.sha256, allow_pickle=False)
        assert samples.dtype == np.float64
        assert len(samples) == run.n


async def test_a_wrong_engine_is_not_timed(attempt: Attempt, blobs: Blobs) -> None:
    spec = bench_task(blobs, artifacts=blobs.references({}, {"y": OUTPUT}), output_error="0.1")
    (found,) = (await attempt.run(spec)).measured.measurements
    assert [flag.kind for flag in found.flags] == [FLAG_KIND_WRONG_OUTPUT]
    assert "got" in found.flags[0].evidence
    assert found.n == 0
    assert not found.HasField("samples")
    assert found.metrics["p50_ms"].reason == "not timed: the outputs are wrong"
    assert "measure" not in [progress.phase for progress in attempt.heard]


@pytest.mark.parametrize("phase", ["build", "load", "measure"])
@pytest.mark.parametrize(("how", "name"), [("crash", "SIGABRT"), ("segfault", "SIGSEGV")])
async def test_a_crash_is_told_by_its_signal(attempt: Attempt, blobs: Blobs, how: str, name: str, phase: str) -> None:
    make = build_task if phase == "build" else bench_task
    failure = failed(await attempt.run(make(blobs, fail=how, fail_at=phase)))
    assert failure.kind == FAILURE_KIND_CRASHED
    assert failure.signal == name
    assert name in failure.message
    assert failure.phase == phase


async def test_an_exit_without_an_outcome_is_a_crash_with_the_last_words(attempt: Attempt, blobs: Blobs) -> None:
    failure = failed(await attempt.run(build_task(blobs, fail="exit")))
    assert failure.kind == FAILURE_KIND_CRASHED
    assert failure.exit_code == 3
    assert "told to exit" in failure.message
    assert not failure.HasField("signal")


async def test_running_out_of_memory(tmp_path: Path, blobs: Blobs) -> None:
    limited = Attempt(tmp_path, blobs, JETFLEET_MEMORY_LIMIT_BYTES=str(1 << 30))
    failure = failed(await limited.run(build_task(blobs, fail="oom", fail_mb="4096")))
    assert failure.kind == FAILURE_KIND_OUT_OF_MEMORY
    assert failure.peak_rss_bytes > 256 << 20


async def test_onnx_runtime_running_out_of_memory(tmp_path: Path, blobs: Blobs) -> None:
    limited = Attempt(tmp_path, blobs, JETFLEET_MEMORY_LIMIT_BYTES=str(2 << 30))
    model = glutton().SerializeToString()
    outcome = await limited.run(build_task(blobs, runtime="onnxruntime", model=model))
    if outcome.HasField("built"):  # else this version folds constants of any size, and ran out of memory there
        engine = await asyncio.to_thread((limited.folder / "out" / outcome.built.engine.sha256).read_bytes)
        outcome = await limited.run(bench_task(blobs, engine=engine, runtime="onnxruntime"))
    failure = failed(outcome)
    assert (failure.kind, failure.phase in ("build", "check")) == (FAILURE_KIND_OUT_OF_MEMORY, True)


async def test_a_refusal_and_a_device_fault_keep_their_kinds(attempt: Attempt, blobs: Blobs) -> None:
    refused = failed(await attempt.run(build_task(blobs, fail="error")))
    assert (refused.kind, refused.phase) == (FAILURE_KIND_BUILD_REFUSED, "build")
    assert failed(await attempt.run(bench_task(blobs, fail="error", fail_at="load"))).kind == FAILURE_KIND_DEVICE_FAULT


async def test_a_flood_of_log_is_capped_and_says_so(attempt: Attempt, blobs: Blobs) -> None:
    outcome = await attempt.run(build_task(blobs, fail="logspam", fail_mb="200"))
    assert outcome.HasField("built")
    text = attempt.text(outcome, ARTIFACT_ROLE_LOG)
    assert (1 << 20) - 100 < len(text) < (1 << 20) + 100
    assert "bytes of log left out here" in text
    assert "build it" in text[:200]


async def test_a_damaged_input_is_found_before_use(attempt: Attempt, blobs: Blobs) -> None:
    spec = build_task(blobs, model=b"some model")
    blobs.path(spec.build.artifacts[0].sha256).write_bytes(b"some mode1")
    failure = failed(await attempt.run(spec))
    assert failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert "is damaged" in failure.message
    assert [progress.phase for progress in attempt.heard] == ["fetch"]


async def test_a_missing_input_is_not_the_tasks_fault(attempt: Attempt, blobs: Blobs) -> None:
    spec = build_task(blobs)
    blobs.path(spec.build.artifacts[0].sha256).unlink()
    assert failed(await attempt.run(spec)).kind == FAILURE_KIND_INFRASTRUCTURE


async def test_a_digest_that_is_a_path_is_refused(attempt: Attempt, blobs: Blobs) -> None:
    spec = build_task(blobs)
    spec.build.artifacts[0].sha256 = "../../etc/passwd"
    assert failed(await attempt.run(spec)).kind == FAILURE_KIND_BAD_INPUT


async def test_a_wrong_version_of_the_runtime_returns_the_task(attempt: Attempt, blobs: Blobs) -> None:
    spec = build_task(blobs)
    spec.build.runtime_version = "0.9"
    outcome = await attempt.run(spec)
    assert "0.9" in outcome.returned.reason


async def test_secrets_stay_with_the_agent(tmp_path: Path, blobs: Blobs) -> None:
    secrets = {"JETFLEET_TOKEN": "hush", "AWS_SECRET": "hush", "JETFLEET_TLS_KEY": "hush"}
    attempt = Attempt(tmp_path, blobs, **secrets, JETFLEET_THREADS="1")
    running = asyncio.ensure_future(attempt.run(build_task(blobs, build_s="600")))
    await attempt.heard_of("build")
    (child,) = children_of_this_process()
    environment = environment_of(child)
    attempt.stop.set()
    await running
    assert b"hush" not in environment
    assert b"JETFLEET_THREADS=1" in environment


async def test_the_peak_of_a_small_child_is_not_that_of_its_large_parent(attempt: Attempt, blobs: Blobs) -> None:
    held = bytearray(os.urandom(1)) * (400 << 20)
    outcome = await attempt.run(build_task(blobs))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > len(held)
    assert 0 < outcome.peak_rss_bytes < 300 << 20


def test_an_attempt_folder_is_made_anew(tmp_path: Path, blobs: Blobs) -> None:
    attempt = AttemptDir(tmp_path / "attempt")
    attempt.create(build_task(blobs))
    (attempt.out / "leftover").touch()
    attempt.create(build_task(blobs))
    assert not list(attempt.out.iterdir())


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (
            Outcome(
                measured=Measured(
                    measurements=[
                        Measurement(provenance=PROVENANCE_SIMULATED, n=9, metrics={"p50_ms": Estimate(value=-1)})
                    ]
                )
            ),
            "p50_ms = -1",
        ),
        (DecodeError(), "the outcome that the child wrote is damaged"),
    ],
)
async def test_an_outcome_that_cannot_be_is_not_taken_from_the_child(
    attempt: Attempt, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, left: Outcome | DecodeError, told: str
) -> None:
    def read(attempt: AttemptDir) -> Outcome:
        if isinstance(left, DecodeError):
            raise left
        return left

    monkeypatch.setattr(AttemptDir, "read_outcome", read)
    outcome = await attempt.run(bench_task(blobs))
    assert outcome.failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert told in outcome.failure.message


async def test_a_time_out_tells_the_latency_that_was_seen_and_the_limit_to_raise(
    attempt: Attempt, blobs: Blobs
) -> None:
    artifacts = blobs.references({}, {"y": OUTPUT})
    spec = bench_task(blobs, artifacts=artifacts, limit_s=5, seconds=(0, 60, 60), latency_ms="900", wall="1")
    outcome = await attempt.run(spec, grace_s=0.5)
    message = outcome.failure.message
    assert outcome.failure.kind == FAILURE_KIND_TIME_LIMIT
    assert "still in phase measure" in message
    assert "0.9" in message
    assert "s per inference" in message
    assert "at the time limit of 5 s; raise limits.bench_s" in message
